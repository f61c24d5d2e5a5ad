import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from './account.ts';
import { getTransfer } from './account.ts';
import { readTrail } from './audit-trail.ts';
import { compare } from './compare.ts';
import { createInjector } from './faults.ts';
import type { Installation } from './installation.ts';
import type { PlannedFault, Round } from './plan.ts';
import { shapes, tenants } from './plan.ts';
import { recoveries, type Struck } from './recovery.ts';
import { findRunning, settle, type TransferEnd } from './settle.ts';
import { addColumn, type Shipments } from './shipments.ts';
import { ask, submit, type Asked } from './traffic.ts';
import type { Writer } from './writer.ts';

export interface Field {
  readonly installation: Installation;
  readonly account: Account;
  readonly shipments: Shipments;
  readonly writer: Writer;
  /** Distinguishes this campaign's submissions. */
  readonly name: string;
  /** The last entry of each recipient's trail that was looked at. */
  readonly trailEnds: Map<string, number>;
  readonly say: (line: string) => void;
}

export interface RoundResult {
  readonly faults: readonly Struck[];
  readonly rowsCompared: number;
  readonly batches: number;
  readonly transfers: number;
  readonly settleMs: number;
  readonly acts: number;
  /** What broke a promise, in sentences. */
  readonly differences: readonly string[];
}

const settleMsMax = 20 * 60_000;
const quietMsMax = 90_000;

/** Writes, transfers and strikes as planned; then waits until all is quiet, and compares. */
export async function playRound(field: Field, round: Round): Promise<RoundResult> {
  const { installation, writer } = field;
  const startedAt = Date.now();
  const injector = createInjector(field);
  const struck: { fault: PlannedFault; at: number; failed?: string }[] = [];
  const asked: Promise<Asked>[] = [];
  const acts: Promise<void>[] = [];
  const strike = (fault: PlannedFault) => {
    const entry: (typeof struck)[number] = { fault, at: Date.now() };
    struck.push(entry);
    field.say(`${clock(startedAt)} ${describeFault(fault)}`);
    injector.strike(fault).catch((error: unknown) => (entry.failed = String(error)));
  };
  const columns = addColumnAt(field, round);
  const timetable: { atMs: number; go: () => void }[] = [
    ...round.faults.map((fault) => ({ atMs: fault.atMs, go: () => strike(fault) })),
    ...round.acts.map((act) => ({ atMs: act.atMs, go: () => void acts.push(writer.act(act)) })),
    ...round.transfers.map((transfer, index) => ({
      atMs: transfer.atMs,
      go: () => {
        const key = `${field.name}-${round.number}-${index}`;
        const promise = ask(field.account, field.shipments, { transfer, key });
        // It is awaited at the end of the round.
        promise.catch(() => undefined);
        asked.push(promise);
      },
    })),
  ].toSorted((a, b) => a.atMs - b.atMs);
  for (const { atMs, go } of timetable) {
    const wait = startedAt + atMs - Date.now();
    if (wait > 0) await sleep(wait);
    go();
  }
  await injector.calm();
  const written = await writer.rest();
  const differences: string[] = struck.flatMap(({ fault, failed }) =>
    failed === undefined ? [] : [`the campaign itself could not ${fault.kind}: ${failed}`],
  );
  const submitted = await Promise.allSettled([...asked, columns]);
  for (const result of submitted)
    if (result.status === 'rejected') differences.push(`a client got no answer: ${result.reason}`);
  const quietFrom = Date.now();
  const ends = await settle(installation, settleMsMax);
  const settleMs = Date.now() - quietFrom;
  const cancellable = new Set(
    (await Promise.allSettled(asked)).flatMap((each) =>
      each.status === 'fulfilled' && each.value.mayBeCancelled ? [each.value.id] : [],
    ),
  );
  differences.push(...judgeEnds(ends, { startedAt, cancellable }));
  const final = await verify(field, round, written.deleted);
  differences.push(...final.differences);
  const trail = await readTrails(field);
  differences.push(...trail.wentBack.map((each) => `went back: ${each}`));
  differences.push(...trail.redone.map((each) => `committed twice: ${each}`));
  const lost = [...installation.toCustomers.lost];
  return {
    faults: recoveries({ struck, ends, commits: trail.commits, lost }),
    rowsCompared: final.rows,
    batches: trail.batches,
    transfers: ends.filter(({ submitted: at }) => at >= startedAt).length,
    settleMs,
    acts: written.acts,
    differences,
  };
}

function clock(startedAt: number): string {
  return `${((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)} s`;
}

function describeFault({ kind, holdMs }: PlannedFault): string {
  const holds = /^(freeze|stall|time_out)/.test(kind);
  return `${kind}${holds ? ` for ${(holdMs / 1000).toFixed(1)} s` : ''}`;
}

async function addColumnAt(field: Field, { columnAtMs, number }: Round): Promise<void> {
  if (columnAtMs === undefined) return;
  await sleep(columnAtMs);
  const table = shapes[number % shapes.length] ?? 'orders';
  const name = await addColumn(field.account, field.shipments, table);
  if (name !== undefined) field.say(`         model ${table} gets column ${name}`);
}

/** Every transfer has to end, and to end well unless somebody cancelled it. */
function judgeEnds(
  ends: readonly TransferEnd[],
  { startedAt, cancellable }: { startedAt: number; cancellable: ReadonlySet<string> },
): string[] {
  return (
    ends
      .filter(({ submitted }) => submitted >= startedAt)
      .filter(({ status }) => status !== 'SUCCESS')
      .filter(({ id, status }) => status !== 'CANCELLED' || !cancellable.has(id))
      // Asked for while another that moves the same was waiting: that one does the work.
      .filter(({ status, said }) => status !== 'CANCELLED' || !said.includes('as a duplicate'))
      .map(({ id, status, said }) => `transfer ${id} is ${status}: ${said}`)
  );
}

/** One incremental transfer makes all equal; where rows were deleted, a full refresh after it does. */
async function verify(
  field: Field,
  round: Round,
  hasDeleted: boolean,
): Promise<{ rows: number; differences: string[] }> {
  const differences: string[] = [];
  let rows = 0;
  const steps = hasDeleted ? ['incremental', 'full_refresh'] : ['incremental'];
  for (const step of steps) {
    const isLast = step === steps.at(-1);
    differences.push(...(await transferAll(field, `${round.number}-${step}`, step)));
    for (const recipient of field.shipments.recipients) {
      const found = await compare(field.shipments, recipient, { isExact: isLast });
      rows += found.rows;
      differences.push(...found.differences.map((each) => `after ${step}: ${each}`));
    }
  }
  differences.push(...(await findRunning(field.installation, quietMsMax)));
  return { rows, differences };
}

async function transferAll(field: Field, name: string, step: string): Promise<string[]> {
  const body = step === 'full_refresh' ? { full_refresh: true } : {};
  const ids = await Promise.all(
    tenants.map((tenant) => {
      const key = `${field.name}-${name}-${tenant}`;
      return submit(field.account, field.shipments, { tenant, body, key });
    }),
  );
  await settle(field.installation, settleMsMax);
  const ended = await Promise.all(ids.map((id) => getTransfer(field.account, id)));
  return ended
    .filter(({ status }) => status !== 'SUCCESS')
    .map(({ id, status, log }) => `the last ${step}, ${id}, is ${status}: ${log}`);
}

async function readTrails({ shipments, trailEnds }: Field) {
  const all = { wentBack: [] as string[], redone: [] as string[], batches: 0 };
  const commits = new Map<string, readonly number[]>();
  for (const recipient of shipments.recipients) {
    const trail = await readTrail(recipient, trailEnds.get(recipient.tenant) ?? 0);
    trailEnds.set(recipient.tenant, trail.lastNr);
    all.wentBack.push(...trail.wentBack);
    all.redone.push(...trail.redone);
    all.batches += trail.batches;
    commits.set(recipient.destinationId, trail.commits);
  }
  return { ...all, commits };
}
