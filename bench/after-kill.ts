import { setTimeout as sleep } from 'node:timers/promises';
import { startTransfer, waitForTransfers } from '../bin/demo-api.ts';
import { requireEqual } from './measure.ts';
import { measured, type Outcome } from './report.ts';
import { orders } from './source-rows.ts';
import type { BenchRow, Workbench } from './workbench.ts';

export const afterKillRow: BenchRow = {
  name: 'after-kill',
  work: 'rows moved again after a SIGKILL of the worker, in batches',
  bound: { max: 1, unit: 'batches' },
  run,
};

/** Fewer rows are over in a batch or two: there is no middle to be killed in. */
const rowsMin = 200_000;
const lookMs = 10;
const pollMs = 200;

interface Moved {
  /** Rows that the destination took, those of broken batches included. */
  readonly taken: number;
  /** Of the largest commit. */
  readonly batchRows: number;
}

async function run(bench: Workbench): Promise<Outcome> {
  if (bench.rows < rowsMin) return { kind: 'not run', reason: `needs --rows ${rowsMin} or more` };
  const numbers: Record<string, number> = {};
  const catchUp = await countCatchUp(bench);
  let worst = 0;
  for (let round = 1; round <= bench.rounds; round += 1) {
    bench.signal.throwIfAborted();
    const schema = `killed_${round}`;
    const rowsAtKill = await loadAndKill(bench, schema, round);
    if (rowsAtKill === undefined) {
      return { kind: 'not run', reason: 'the load was over before the worker could be killed' };
    }
    await requireEqual(bench, orders, `${schema}.orders`);
    const { taken, batchRows } = await readMoved(bench, schema);
    const again = taken - bench.rows - catchUp;
    worst = Math.max(worst, again / batchRows);
    numbers[`round ${round}: rows committed at the kill`] = rowsAtKill;
    numbers[`round ${round}: rows taken again`] = again;
    numbers[`round ${round}: rows of the largest batch`] = batchRows;
    numbers[`round ${round}: rows of the catch-up, not counted`] = catchUp;
    bench.say(`  round ${round}: ${again} rows again, batches of ${batchRows}`);
    await bench.destinationClient.query(/*sql*/ `drop schema ${schema} cascade`);
  }
  return measured(worst, numbers);
}

/** @returns the committed rows at the kill; undefined when the load was over first */
async function loadAndKill(
  bench: Workbench,
  schema: string,
  round: number,
): Promise<number | undefined> {
  const destinationId = await bench.addDestination(schema);
  const id = await startTransfer(bench.api, destinationId, { models: [orders.name] });
  // Another place in each round, and half a batch after a commit: right behind one there is nothing to lose.
  const wanted = (bench.rows * round) / (bench.rounds + 1);
  let rows = 0;
  let [committedAtMs, batchMs] = [performance.now(), 0];
  while (rows < wanted) {
    bench.signal.throwIfAborted();
    await sleep(lookMs);
    const now = await readCommitted(bench, schema);
    if (now === rows) continue;
    [committedAtMs, batchMs] = [performance.now(), performance.now() - committedAtMs];
    rows = now;
  }
  await sleep(batchMs / 2);
  if (rows < bench.rows) process.kill(bench.workerPid(), 'SIGKILL');
  await waitForTransfers(bench.api, [id], { everyMs: pollMs });
  return rows < bench.rows ? rows : undefined;
}

async function readCommitted({ destinationClient }: Workbench, schema: string): Promise<number> {
  const table = `${schema}._waybill_load`;
  const { rows: found } = await destinationClient.query<{ there: boolean }>(
    /*sql*/ `select to_regclass($1) is not null as there`,
    [table],
  );
  if (found[0]?.there !== true) return 0;
  const { rows } = await destinationClient.query<{ rows: string }>(
    /*sql*/ `select coalesce(max(load_rows), 0) as rows from ${table}`,
  );
  return Number(rows[0]?.rows);
}

/** After a second attempt the last half minute is read once more, as after any: that is not the kill's. */
async function countCatchUp({ sourceClient }: Workbench): Promise<number> {
  const { rows } = await sourceClient.query<{ rows: string }>(/*sql*/ `
    select count(*) as rows from public.orders
     where updated_at >= (select max(updated_at) - interval '30 seconds' from public.orders)`);
  return Number(rows[0]?.rows);
}

/** The server counts what it takes into a table, committed or not; each batch is a transaction of its own. */
async function readMoved({ destinationClient }: Workbench, schema: string): Promise<Moved> {
  const { rows } = await destinationClient.query<{ taken: string; largest: string }>(/*sql*/ `
    select pg_stat_get_tuples_inserted('${schema}.orders'::regclass) as taken,
           (select count(*) from ${schema}.orders group by xmin order by 1 desc limit 1) as largest`);
  return { taken: Number(rows[0]?.taken), batchRows: Number(rows[0]?.largest) };
}
