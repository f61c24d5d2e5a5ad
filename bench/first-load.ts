import { measureNative, measureTransfer, requireEqual, takeTurns } from './measure.ts';
import { copyStatements } from './native-copy.ts';
import { summarizeTurns, type Outcome } from './report.ts';
import { orders } from './source-rows.ts';
import { typesTable, type BenchRow, type Workbench } from './workbench.ts';

type Native = 'binary, key afterwards' | 'text, keyed';

const nativeTable = 'public.native_orders';

/** The settings that make a worker read two ranges of one snapshot. */
const twoRanges: BenchRow['worker'] = {
  notBuilt: 'not built: a load is read as one stream',
};

export const firstLoadRows: readonly BenchRow[] = [
  {
    name: 'first-load',
    work: 'first load, one stream',
    against: 'psql binary COPY pipe into an unkeyed table, then ADD PRIMARY KEY',
    bound: { max: 1.15, unit: '×' },
    run: (bench) => run(bench, 'binary, key afterwards'),
  },
  {
    name: 'first-load-two-ranges',
    work: 'the same with two ranges on one snapshot',
    against: 'the same',
    bound: { max: 0.9, unit: '×' },
    worker: twoRanges,
    run: (bench) => run(bench, 'binary, key afterwards'),
  },
  {
    name: 'first-load-text',
    work: 'first load, one stream',
    against: 'psql text COPY pipe into the keyed table',
    bound: { max: 0.75, unit: '×' },
    run: (bench) => run(bench, 'text, keyed'),
  },
];

async function run(bench: Workbench, native: Native): Promise<Outcome> {
  const turns = await takeTurns(bench, {
    ours: (round) => loadOurs(bench, `${native === 'text, keyed' ? 'keyed' : 'plain'}_${round}`),
    native: () => loadNative(bench, native),
  });
  return summarizeTurns({ ...turns, rows: bench.rows, rowBytes: bench.rowBytes });
}

async function loadOurs(bench: Workbench, schema: string) {
  const destinationId = await bench.addDestination(schema);
  const cost = await measureTransfer(bench, { destinationId, models: [orders] });
  await requireEqual(bench, orders, `${schema}.orders`);
  await bench.destinationClient.query(/*sql*/ `drop schema ${schema} cascade`);
  return cost;
}

/** Also what every peer is measured against. */
export async function loadNative(bench: Workbench, native: Native) {
  const { destinationClient, source, destination } = bench;
  const isText = native === 'text, keyed';
  const makeKey = /*sql*/ `alter table ${nativeTable} add primary key (id)`;
  const cost = await measureNative(bench, async () => {
    await destinationClient.query(/*sql*/ `create table ${nativeTable} (like ${typesTable})`);
    if (isText) await destinationClient.query(makeKey);
    const format = isText ? 'text' : 'binary';
    const { read, write } = copyStatements({ shape: orders, table: nativeTable, format });
    await bench.pipe.run({ source, destination, read, write: [write] });
    if (!isText) await destinationClient.query(makeKey);
  });
  await requireEqual(bench, orders, nativeTable);
  await destinationClient.query(/*sql*/ `drop table ${nativeTable}`);
  return cost;
}
