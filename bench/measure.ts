import { WorkflowNotFoundError } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTransfer, waitForTransfers } from '../bin/demo-api.ts';
import { compareCopies } from '../bin/demo-compare.ts';
import { workflowIds } from '../domain/temporal-names.ts';
import { Failure } from '../domain/failure.ts';
import { forgetPeak, readFamilyCpu, readProcessCost } from './process-cost.ts';
import type { Shape } from './source-rows.ts';
import type { Workbench } from './workbench.ts';

/** What a piece of work took. */
export interface Cost {
  readonly seconds: number;
  /** Of everything that took part. */
  readonly cpuSeconds: number | undefined;
}

export interface TransferCost extends Cost {
  readonly transferId: string;
  readonly workerCpuSeconds: number | undefined;
  /** The worker's memory before and at its peak, in MB. */
  readonly idleMb: number | undefined;
  readonly peakMb: number | undefined;
}

export interface TransferOrder {
  readonly destinationId: string;
  readonly models: readonly Shape[];
  /** Further wishes, as the API takes them. */
  readonly body?: object;
  /** Nothing was written that is worth a checkpoint. */
  readonly isSettled?: boolean;
}

/** How soon a workflow is looked for again that is about to start. */
const lookAgainMs = 3;

/** Through the whole of Waybill: from the request until its workflow has ended and the API says SUCCESS. */
export async function measureTransfer(
  bench: Workbench,
  order: TransferOrder,
): Promise<TransferCost> {
  if (order.isSettled !== true) await settle(bench);
  await forgetPeak(bench.workerPid());
  const before = await readProcessCost(bench.workerPid());
  let transferId = '';
  const pids = [...bench.databasePids, ...bench.waybillPids()];
  const cost = await measure(pids, async () => {
    transferId = await runTransfer(bench, order);
  });
  const after = await readProcessCost(bench.workerPid());
  return {
    ...cost,
    transferId,
    workerCpuSeconds: difference(before.cpuSeconds, after.cpuSeconds),
    idleMb: before.residentMb,
    peakMb: after.peakMb,
  };
}

/** @returns its id, once it has succeeded. @throws Failure `invalid` with the reasons when it did not */
export async function runTransfer(
  bench: Pick<Workbench, 'api' | 'temporal'>,
  { destinationId, models, body }: TransferOrder,
): Promise<string> {
  const wanted = { models: models.map(({ name }) => name), ...body };
  const id = await startTransfer(bench.api, destinationId, wanted);
  // Waiting for the workflow costs the servers nothing and loses no time; asking the API does both.
  await waitForWorkflow(bench.temporal, workflowIds.transfer(id));
  await waitForTransfers(bench.api, [id], { everyMs: lookAgainMs });
  return id;
}

async function waitForWorkflow(temporal: Workbench['temporal'], id: string): Promise<void> {
  for (;;) {
    try {
      await temporal.workflow.result(id);
      return;
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      await sleep(lookAgainMs);
    }
  }
}

/** Of work that children of this process and the database servers do. */
export async function measureNative(bench: Workbench, work: () => Promise<unknown>): Promise<Cost> {
  await settle(bench);
  return measure([...bench.databasePids, process.pid], work);
}

export async function measure(
  pids: readonly number[],
  work: () => Promise<unknown>,
): Promise<Cost> {
  const cpuBefore = await readFamilyCpu(pids);
  const startedAtMs = performance.now();
  await work();
  const seconds = (performance.now() - startedAtMs) / 1000;
  return { seconds, cpuSeconds: difference(cpuBefore, await readFamilyCpu(pids)) };
}

/** Neither side pays for what the other, or the last round, left to be written. */
export async function settle({
  sourceClient,
  destinationClient,
  signal,
}: Workbench): Promise<void> {
  signal.throwIfAborted();
  await Promise.all([
    sourceClient.query(/*sql*/ `checkpoint`),
    destinationClient.query(/*sql*/ `checkpoint`),
  ]);
}

/** No time counts before every row has arrived as it was. @throws Failure `bug` */
export async function requireEqual(bench: Workbench, shape: Shape, table: string): Promise<number> {
  const copy = {
    columns: shape.columns.map(({ name }) => name),
    key: 'id',
    keyKind: 'text',
  } as const;
  const result = await compareCopies(
    { ...copy, client: bench.sourceClient, table: `public.${shape.name}` },
    { ...copy, client: bench.destinationClient, table },
  );
  if (result.differing.length === 0) return result.rows;
  throw new Failure('bug', `${table} differs from the source: its time says nothing.`);
}

export interface Turns<Ours, Native> {
  readonly ours: (round: number) => Promise<Ours>;
  readonly native: (round: number) => Promise<Native>;
  /** What both sides are to meet, untimed. */
  readonly prepare?: (round: number) => Promise<void>;
}

/** Each side begins every other round, so that both meet the same machine. */
export async function takeTurns<Ours extends Cost, Native extends Cost>(
  bench: Workbench,
  { ours, native, prepare }: Turns<Ours, Native>,
): Promise<{ ours: Ours[]; native: Native[] }> {
  const both = { ours: [] as Ours[], native: [] as Native[] };
  for (let round = 1; round <= bench.rounds; round += 1) {
    await prepare?.(round);
    if (round % 2 === 0) both.native.push(await native(round));
    both.ours.push(await ours(round));
    if (round % 2 === 1) both.native.push(await native(round));
    const [mine, theirs] = [both.ours.at(-1)?.seconds ?? 0, both.native.at(-1)?.seconds ?? 0];
    bench.say(
      `  round ${round}: ours ${mine.toFixed(2)} s, native ${theirs.toFixed(2)} s, rows equal`,
    );
  }
  return both;
}

function difference(before: number | undefined, after: number | undefined): number | undefined {
  return before === undefined || after === undefined ? undefined : after - before;
}
