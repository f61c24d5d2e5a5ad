import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { Client } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../test/harness/database.ts';
import type { BinaryCursorType } from './binary-value.ts';
import { cutCopyBinary } from './copy-binary.ts';
import { cutCopyText, encodeCopyTextRow, parseCopyTextRows } from './copy-text.ts';
import type { CutBatch, CutLimits } from './cut-rows.ts';

const seed = 20_240_229;
const rowCount = 1_200;

/** Every type that a cursor read from binary may have, and the columns that follow it in a row. */
const cursorTypes: BinaryCursorType[] = [
  ...([
    'timestamptz',
    'timestamp',
    'date',
    'uuid',
    'int2',
    'int4',
    'int8',
    'text',
    'varchar',
  ] as const),
];
const cursorColumns = 'tz, ts, day, id, small, mid, big, name, short';
const columns = `${cursorColumns}, n, body, number, document, raw, list, flag`;

let database: TestDatabase;
let client: Client;

/** The server makes the values: all of the range that timestamps and dates have, and much of today. */
const fill = /*sql*/ `
  create table hard as
  select
    case n % 40 when 0 then 'infinity' when 1 then '-infinity' when 2 then null
      else (days + micros) at time zone 'UTC' end::timestamptz as tz,
    case n % 41 when 0 then 'infinity' when 1 then '-infinity' when 2 then null
      else days + micros end::timestamp as ts,
    case n % 42 when 0 then 'infinity' when 1 then '-infinity' when 2 then '5874897-12-31' when 3 then null
      when 4 then '4714-11-24 BC' else days end::date as day,
    md5(n::text)::uuid as id,
    case n % 5 when 0 then -32768 when 1 then 32767 when 2 then null else n end::int2 as small,
    case n % 5 when 0 then -2147483648 when 1 then 2147483647 else -n end::int4 as mid,
    case n % 5 when 0 then -9223372036854775808
      when 1 then 9223372036854775807 else n * 1e12 end::int8 as big,
    left(body, 50) as name, left(body, 20)::varchar(20) as short, n, body,
    case n % 7 when 0 then 'NaN' when 1 then null else (n || repeat('7', n % 90))::numeric / 1e9 end as number,
    jsonb_build_object('n', n, 'text', body) as document,
    decode(md5(n::text), 'hex') as raw, array[body, null, '{}'] as list, n % 3 = 0 as flag
  from (
    select n, body,
      make_interval(secs => 0) + (floor(random() * 86400e6)::int8 || ' microseconds')::interval as micros,
      case n % 3 when 0 then date '2024-01-01' + n when 1 then date '2000-01-01' - floor(random() * 2451545)::int
        else date '2000-01-01' + floor(random() * 106751990)::int end as days
    from texts order by n
  ) as base`;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(/*sql*/ `set timezone = 'UTC'`);
  await client.query(/*sql*/ `set datestyle = 'ISO, YMD'`);
  await client.query(/*sql*/ `create table texts (n int, body text)`);
  const texts = fc.sample(hardText, { numRuns: rowCount, seed });
  await load(
    'texts',
    'text',
    texts.map((text, n) => encodeCopyTextRow([String(n), text])),
  );
  await client.query(/*sql*/ `select setseed(0.5)`);
  await client.query(fill);
}, 60_000);

afterAll(async () => {
  await client.end();
  await database.drop();
});

/** The server has no NUL in text, and no lone surrogates. */
const hardText = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 60 }).map((text) => text.replaceAll('\0', '')),
  fc.constantFrom(
    '',
    '\\N',
    '\\.',
    '\\',
    '\n',
    '\r\n',
    '\t',
    '\b\f\v',
    'a\\nb',
    '\u0001',
    '😀',
    'x'.repeat(9_000),
  ),
);

type Format = 'text' | 'binary';

const cutters = {
  text: (stream: AsyncIterable<Buffer>, limits: CutLimits) =>
    cutCopyText(stream, { ...limits, cursorFields: cursorTypes.length }),
  binary: (stream: AsyncIterable<Buffer>, limits: CutLimits) =>
    cutCopyBinary(stream, { ...limits, cursorTypes }),
};

async function load(table: string, format: Format, chunks: readonly Buffer[]): Promise<number> {
  const stream = client.query(copyFrom(/*sql*/ `copy ${table} from stdin (format ${format})`));
  await pipeline(Readable.from(chunks), stream);
  return stream.rowCount;
}

/** The first rows in an order of their own, as the server sends them. */
async function dump(format: Format, rows: number): Promise<Buffer> {
  const select = /*sql*/ `select ${columns} from hard order by n limit ${rows}`;
  const stream = client.query(copyTo(/*sql*/ `copy (${select}) to stdout (format ${format})`));
  return Buffer.concat(await Array.fromAsync(stream));
}

async function cursorsOfServer(): Promise<(string | null)[][]> {
  const texts = cursorColumns.split(', ').map((column) => `${column}::text`);
  const statement = /*sql*/ `select ${texts.join(', ')} from hard order by n`;
  return (await client.query({ text: statement, rowMode: 'array' })).rows as (string | null)[][];
}

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** What the batches hold when they are put together again, without the frame of each. */
function joined(format: Format, batches: readonly CutBatch[]): Buffer {
  const [before, after] = format === 'text' ? [0, 0] : [19, 2];
  return Buffer.concat(
    batches.map((batch) => Buffer.concat(batch.chunks).subarray(before, batch.bytes - after)),
  );
}

const sizes = [1, 2, 3, 7, 61, 1_000, 65_536, 1e9];
const limits = [1, 2, 7, 100, 1_000, 1e9];

describe.each(['text', 'binary'] as const)('%s, with the server as judge', (format) => {
  test('batches of any size out of chunks of any size join to the stream, cursors equal the server', async () => {
    const all = await cursorsOfServer();
    for (const size of sizes) {
      const rows = size < 8 ? 100 : rowCount;
      const bytes = await dump(format, rows);
      const whole = format === 'text' ? bytes : bytes.subarray(19, -2);
      for (const limit of limits) {
        const options = {
          batchRowsMax: limit,
          batchBytesMax: limit === 7 ? 3_000 : 1e9,
          prefixBytesMax: 65_536,
        };
        const batches = await Array.fromAsync(cutters[format](pieces(bytes, size), options));
        expect(joined(format, batches).equals(whole)).toBe(true);
        let seen = 0;
        const ends = batches.map((batch) => (seen += batch.rows));
        expect(batches.map((batch) => batch.cursor)).toEqual(ends.map((end) => all[end - 1]));
        expect(seen).toBe(rows);
      }
    }
  });

  test.each([1, 37, 1e9])(
    'each batch of at most %d rows loads alone, and nothing changes on the way',
    async (limit) => {
      await client.query(
        /*sql*/ `create temporary table copy as select ${columns} from hard limit 0`,
      );
      try {
        const stream = pieces(await dump(format, rowCount), 8_192);
        const options = { batchRowsMax: limit, batchBytesMax: 1e9, prefixBytesMax: 65_536 };
        for await (const batch of cutters[format](stream, options)) {
          expect(await load('copy', format, batch.chunks)).toBe(batch.rows);
        }
        const difference = /*sql*/ `select count(*) from hard full join copy using (n)
        where row(${aliased('hard')})::record *<> row(${aliased('copy')})::record`;
        expect((await client.query(difference)).rows).toEqual([{ count: '0' }]);
        expect((await client.query(/*sql*/ `select count(*)::int from copy`)).rows).toEqual([
          { count: rowCount },
        ]);
      } finally {
        await client.query(/*sql*/ `drop table copy`);
      }
    },
  );

  test('no rows are no batches', async () => {
    const batches = cutters[format](pieces(await dump(format, 0), 1), {
      batchRowsMax: 1,
      batchBytesMax: 1,
    });
    expect(await Array.fromAsync(batches)).toEqual([]);
  });

  test('the rows cut are those of the command tag', async () => {
    const stream = client.query(copyTo(/*sql*/ `copy hard to stdout (format ${format})`));
    const counts: number[] = [];
    const options = { batchRowsMax: 500, batchBytesMax: 1e9, prefixBytesMax: 65_536 };
    for await (const batch of cutters[format](stream, options)) counts.push(batch.rows);
    await client.query(/*sql*/ `select 1`);
    expect([counts.length, counts.reduce((sum, rows) => sum + rows)]).toEqual([3, stream.rowCount]);
  });
});

test('rows parsed from text are the values as the server casts them', async () => {
  const select = /*sql*/ `select n, body, number, list from hard order by n`;
  const stream = client.query(copyTo(/*sql*/ `copy (${select}) to stdout`));
  const parsed = parseCopyTextRows(Buffer.concat(await Array.fromAsync(stream)));
  const casts = /*sql*/ `select n::text, body, number::text, list::text from hard order by hard.n`;
  expect(parsed).toEqual((await client.query({ text: casts, rowMode: 'array' })).rows);
});

function aliased(table: string): string {
  return columns.replace(/\w+/g, (column) => `${table}.${column}`);
}
