import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { bareWorkflow } from './bare-workflow.ts';
import {
  measure,
  measureTransfer,
  requireEqual,
  runTransfer,
  settle,
  type Cost,
  type TransferCost,
} from './measure.ts';
import { measured, median, ratioOf, type Outcome } from './report.ts';
import { ordersFew } from './source-rows.ts';
import type { BenchRow, Workbench } from './workbench.ts';

export const emptyTransferRow: BenchRow = {
  name: 'empty',
  work: 'an empty transfer of one model',
  against: 'a bare workflow with one activity on the same server',
  bound: { max: 4, unit: '×' },
  run,
};

const pairs = 40;
const pairsToWarmUp = 5;
const taskQueue = 'bare';

async function run(bench: Workbench): Promise<Outcome> {
  const destinationId = await bench.addDestination('empty');
  const order = { destinationId, models: [ordersFew], isSettled: true };
  await runTransfer(bench, order);
  await settle(bench);
  const ours: TransferCost[] = [];
  const native: Cost[] = [];
  await withBareWorker(bench, async () => {
    for (let pair = 1 - pairsToWarmUp; pair <= pairs; pair += 1) {
      bench.signal.throwIfAborted();
      const mine = await measureTransfer(bench, order);
      const theirs = await measureBare(bench);
      if (pair < 1) continue;
      ours.push(mine);
      native.push(theirs);
    }
  });
  await requireEqual(bench, ordersFew, 'empty.orders_few');
  await bench.destinationClient.query(/*sql*/ `drop schema empty cascade`);
  const milliseconds = (costs: readonly Cost[]) =>
    median(costs.map(({ seconds }) => seconds * 1000));
  const cpu = ours.flatMap(({ cpuSeconds }) => cpuSeconds ?? []);
  return measured(ratioOf(ours, native), {
    'ours, ms': milliseconds(ours),
    'bare workflow, ms': milliseconds(native),
    'ours, CPU of all processes, ms': cpu.length === 0 ? undefined : (1000 * sum(cpu)) / cpu.length,
    'transfers measured': pairs,
  });
}

function measureBare(bench: Workbench): Promise<Cost> {
  return measure([process.pid, ...bench.waybillPids()], () =>
    bench.temporal.workflow.execute<typeof bareWorkflow>('bareWorkflow', {
      taskQueue,
      workflowId: `bare/${randomUUID()}`,
    }),
  );
}

/** In this process, which waits while Waybill works. */
async function withBareWorker(bench: Workbench, work: () => Promise<void>): Promise<void> {
  // Without this the runtime takes Ctrl-C for itself, and nobody would stop the servers.
  Runtime.install({ shutdownSignals: [], logger: new DefaultLogger('ERROR') });
  const connection = await NativeConnection.connect({ address: bench.temporalAddress });
  try {
    const worker = await Worker.create({
      connection,
      taskQueue,
      workflowsPath: fileURLToPath(new URL('bare-workflow.ts', import.meta.url)),
      activities: { doNothing: async () => undefined },
    });
    await worker.runUntil(work());
  } finally {
    await connection.close();
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
