import { createLiveCopies, dropLiveCopies, freshen, upsertNatively } from './live-copy.ts';
import { measureTransfer, requireEqual, takeTurns } from './measure.ts';
import { summarizeTurns, type Outcome } from './report.ts';
import { orders } from './source-rows.ts';
import type { BenchRow, Workbench } from './workbench.ts';

export const incrementalRows: readonly BenchRow[] = [1, 20].map((percent) => ({
  name: `incremental-${percent}`,
  work: `incremental, ${percent} % changed`,
  against: 'the three native statements: stage, upsert, drop',
  bound: { max: 1.15, unit: '×' },
  run: (bench) => run(bench, percent),
}));

async function run(bench: Workbench, percent: number): Promise<Outcome> {
  const copies = await createLiveCopies(bench, `changed_${percent}`);
  let rows = 0;
  const turns = await takeTurns(bench, {
    prepare: async (round) => {
      rows = await changeRows(bench, { percent, round });
      await freshen(bench, copies);
    },
    ours: async () => {
      const { destinationId } = copies;
      const cost = await measureTransfer(bench, { destinationId, models: [orders] });
      await requireEqual(bench, orders, copies.ours);
      return cost;
    },
    native: (round) =>
      upsertNatively(bench, copies, `updated_at > '${stampOf({ percent, round })}'`),
  });
  await dropLiveCopies(bench, copies);
  return summarizeTurns({ ...turns, rows, rowBytes: bench.rowBytes });
}

interface Change {
  readonly percent: number;
  readonly round: number;
}

/**
 * A day for each round, later than all before: far enough from the last round's for the lookback to reach
 * none of it, and in the past, where the fence lets the watermark pass.
 */
function stampOf({ percent, round }: Change): string {
  return new Date(Date.UTC(2025, 0, percent * 10 + round)).toISOString();
}

/** Rows from all over the table, other ones in each round. @returns how many */
async function changeRows({ sourceClient }: Workbench, change: Change): Promise<number> {
  const every = 100 / change.percent;
  const sql = /*sql*/ `
    update public.orders
       set quantity = quantity + 1, note = 'Changed in round ' || $3::integer,
           updated_at = $4::timestamptz + (points % 86400000) * interval '1 millisecond' / 2
     where points / 1000003 % $1::integer = $2::integer % $1::integer`;
  const { round } = change;
  const { rowCount } = await sourceClient.query(sql, [every, round, round, stampOf(change)]);
  await sourceClient.query(/*sql*/ `vacuum (analyze) public.orders`);
  return rowCount ?? 0;
}
