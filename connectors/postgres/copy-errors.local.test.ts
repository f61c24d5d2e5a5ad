import { afterAll, beforeAll, expect, test } from 'vitest';
import { must } from '../../lib/must.ts';
import { Ends, epochOf, going, modelOf } from '../../test/harness/postgres-ends.ts';

const columns = [
  ['at', 'timestamp', 'last_modified'],
  ['id', 'integer', 'key'],
  ['note', 'string'],
] as const;
const table = modelOf([...columns]);
const megabytes = 2 ** 20;

let ends: Ends;
let started = 0;

beforeAll(async () => {
  ends = await Ends.create();
  await ends.source.query('create table things (tenant text, at timestamptz, id int, note text)');
  await ends.source.query(
    `insert into things select 'acme', timestamptz '2026-01-01' + n * interval '1 ms',
        case when n = 100 then null else n end, repeat('x', 333)
      from generate_series(1, 60000) n`,
  );
  // A merge goes into a table that an earlier step has made.
  await ends.destination.query(
    `create schema landed
      create table ${table.destinationTable} (id int primary key, at timestamptz, note text)`,
  );
});
afterAll(() => ends[Symbol.asyncDispose]());

/** More than the connection's buffers hold, so that the server refuses a row while the rest is being sent. */
async function writeLargeBatch(mode: 'merge' | 'replace'): Promise<unknown> {
  await using source = ends.openSource();
  await using destination = ends.openDestination();
  started += 1;
  const transfer = { transferId: `t${started}`, epoch: epochOf(started) };
  const load = await destination.open(ends.plan(table, { mode, ...transfer }), going);
  const request = ends.request(table, { batchRowsMax: 59_000, batchBytesMax: 64 * megabytes });
  // The first batches of a read are small, so all of them are sent as one.
  const read = await Array.fromAsync(source.read(request, going));
  const chunks = read.flatMap((batch) => batch.chunks);
  const sum = (of: 'rows' | 'bytes') => read.reduce((total, batch) => total + batch[of], 0);
  const batch = { ...must(read.at(-1), 'a batch'), chunks, rows: sum('rows'), bytes: sum('bytes') };
  expect(batch.bytes).toBeGreaterThan(16 * megabytes);
  return await load.write(batch, going).catch((error: unknown) => error);
}

test.each(['merge', 'replace'] as const)(
  'a row that is refused early in a large batch ends a %s with its reason, and at once',
  { timeout: 20_000 },
  async (mode) => {
    for (let time = 0; time < 5; time += 1) {
      expect(await writeLargeBatch(mode)).toMatchObject({ kind: 'source_mismatch', code: 'KEYS' });
    }
  },
);

test('models that begin together beside forgotten copies all begin, whoever looks at these', async () => {
  const begin = async (modelId: string) => {
    await using destination = ends.openDestination();
    started += 1;
    const transfer = { modelId, transferId: `t${started}`, epoch: epochOf(started) };
    await destination.open(ends.plan(table, { mode: 'replace', ...transfer }), going);
  };
  for (let round = 0; round < 4; round += 1) {
    await Promise.all(['a', 'b', 'c', 'd'].map(begin));
    await ends.destination.query('delete from landed._waybill_load');
  }
  const name = must((await copies())[0], 'a forgotten copy');
  await ends.destination.query(`create view landed.looked_at as select * from landed.${name}`);
  await begin('e');
  expect(await copies()).toHaveLength(2);
  expect(await copies()).toContain(name);
});

async function copies(): Promise<string[]> {
  const { rows } = await ends.destination.query<{ name: string }>(
    `select relname as name from pg_class where relname ~ '^_waybill_copy' and relkind = 'r'`,
  );
  return rows.map(({ name }) => name);
}
