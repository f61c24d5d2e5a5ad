import { measureNative, requireEqual, runTransfer, type Cost } from './measure.ts';
import { copyStatements } from './native-copy.ts';
import { orders } from './source-rows.ts';
import type { Workbench } from './workbench.ts';

/** Two copies of the main table that both sides change from here on: one of Waybill's, one native. */
export interface LiveCopies {
  readonly destinationId: string;
  readonly schema: string;
  readonly ours: string;
  readonly native: string;
}

/** Both hold the same rows in the same order on disk, with the same key. */
export async function createLiveCopies(bench: Workbench, schema: string): Promise<LiveCopies> {
  const { destinationClient } = bench;
  const destinationId = await bench.addDestination(schema);
  await runTransfer(bench, { destinationId, models: [orders] });
  const copies = {
    destinationId,
    schema,
    ours: `${schema}.orders`,
    native: `${schema}.native_orders`,
  };
  await destinationClient.query(/*sql*/ `create table ${copies.native} (like ${copies.ours})`);
  await destinationClient.query(/*sql*/ `insert into ${copies.native} table ${copies.ours}`);
  await destinationClient.query(/*sql*/ `alter table ${copies.native} add primary key (id)`);
  await freshen(bench, copies);
  return copies;
}

/** Neither side pays for dead rows, missing statistics or cold pages. */
export async function freshen({ destinationClient }: Workbench, copies: LiveCopies): Promise<void> {
  for (const table of [copies.ours, copies.native]) {
    await destinationClient.query(/*sql*/ `vacuum (analyze) ${table}`);
    await destinationClient.query(/*sql*/ `select count(note) from ${table}`);
  }
}

/** The three native statements: stage, upsert, drop. */
export async function upsertNatively(
  bench: Workbench,
  copies: LiveCopies,
  where: string,
): Promise<Cost> {
  const { source, destination } = bench;
  const { read, write } = copyStatements({
    shape: orders,
    table: 'staged',
    format: 'binary',
    where,
  });
  const names = orders.columns.map(({ name }) => name);
  const sets = names.filter((name) => name !== 'id').map((name) => `${name} = excluded.${name}`);
  const statements = [
    /*sql*/ `create temp table staged (like ${copies.native})`,
    write,
    /*sql*/ `insert into ${copies.native} (${names.join(', ')}) select ${names.join(', ')} from staged
      on conflict (id) do update set ${sets.join(', ')}`,
    /*sql*/ `drop table staged`,
  ];
  const cost = await measureNative(bench, () =>
    bench.pipe.run({ source, destination, read, write: statements }),
  );
  await requireEqual(bench, orders, copies.native);
  return cost;
}

export async function dropLiveCopies(bench: Workbench, { schema }: LiveCopies): Promise<void> {
  await bench.destinationClient.query(/*sql*/ `drop schema ${schema} cascade`);
}
