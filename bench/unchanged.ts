import { createLiveCopies, dropLiveCopies, freshen, upsertNatively } from './live-copy.ts';
import { measureTransfer, requireEqual, takeTurns } from './measure.ts';
import { summarizeTurns, type Outcome } from './report.ts';
import { orders } from './source-rows.ts';
import type { BenchRow, Workbench } from './workbench.ts';

export const unchangedRow: BenchRow = {
  name: 'unchanged',
  work: 're-reading rows that did not change, a fifth of the table',
  against: 'upserting them: stage, upsert, drop',
  bound: { max: 0.5, unit: '×' },
  run,
};

interface Part {
  readonly rows: number;
  /** As text that Postgres and the API read alike. */
  readonly from: string;
  readonly upTo: string;
}

async function run(bench: Workbench): Promise<Outcome> {
  const copies = await createLiveCopies(bench, 'unchanged');
  const part = await chooseFifth(bench);
  const window = { start_transfer_window_at: part.from, end_transfer_window_at: part.upTo };
  const turns = await takeTurns(bench, {
    prepare: () => freshen(bench, copies),
    ours: async () => {
      const { destinationId } = copies;
      const order = { destinationId, models: [orders], body: window };
      const cost = await measureTransfer(bench, order);
      await requireEqual(bench, orders, copies.ours);
      return cost;
    },
    native: () =>
      upsertNatively(bench, copies, `updated_at >= '${part.from}' and updated_at < '${part.upTo}'`),
  });
  await dropLiveCopies(bench, copies);
  return summarizeTurns({ ...turns, rows: part.rows, rowBytes: bench.rowBytes });
}

async function chooseFifth({ sourceClient }: Workbench): Promise<Part> {
  await sourceClient.query(/*sql*/ `set timezone to 'UTC'`);
  const { rows } = await sourceClient.query<{ from: string; upTo: string; rows: string }>(/*sql*/ `
    with part as (
      select percentile_disc(0.4) within group (order by updated_at) as low,
             percentile_disc(0.6) within group (order by updated_at) as high
        from public.orders)
    select to_char(low, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as from, to_char(high, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "upTo",
           (select count(*) from public.orders where updated_at >= low and updated_at < high) as rows
      from part`);
  const [part] = rows;
  return { from: part?.from ?? '', upTo: part?.upTo ?? '', rows: Number(part?.rows) };
}
