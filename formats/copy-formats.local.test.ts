import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { Client } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../test/harness/database.ts';
import type { BinaryCursorType } from './binary-value.ts';
import { binaryFields } from './copy-binary.ts';
import { MessageCutter, messageBodies, type CutBatch, type CutOptions } from './copy-messages.ts';
import { encodeCopyTextRow, parseCopyTextRows, textFields } from './copy-text.ts';

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
    'x'.repeat(3_000),
  ),
);

type Format = CutOptions['format'];

async function load(table: string, format: Format, rows: readonly Buffer[]): Promise<number> {
  const stream = client.query(copyFrom(/*sql*/ `copy ${table} from stdin (format ${format})`));
  await pipeline(Readable.from(rows), stream);
  return stream.rowCount;
}

/** All that the server answers to a copy of the first rows, in an order of their own. */
async function answerOf(format: Format, rows: number): Promise<Buffer> {
  const select = /*sql*/ `select ${columns} from hard order by n limit ${rows}`;
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  const chunks: Buffer[] = [];
  // Before the driver, which writes into what it was given.
  const listen = (chunk: Buffer) => void chunks.push(Buffer.from(chunk));
  stream.prependListener('data', listen);
  await client.query(/*sql*/ `copy (${select}) to stdout (format ${format})`);
  stream.off('data', listen);
  return Buffer.concat(chunks);
}

function* cut(bytes: Buffer, size: number, options: CutOptions): Generator<CutBatch> {
  const cutter = new MessageCutter(options);
  for (let at = 0; cutter.rest === undefined; at += size)
    yield* cutter.add(Buffer.from(bytes.subarray(at, at + size)));
  const last = cutter.end();
  if (last !== undefined) yield last;
}

function cursorOf(format: Format, { lastRow }: CutBatch) {
  return format === 'text'
    ? textFields(lastRow, cursorTypes.length)
    : binaryFields(lastRow, cursorTypes);
}

async function cursorsOfServer(): Promise<(string | null)[][]> {
  const texts = cursorColumns.split(', ').map((column) => `${column}::text`);
  const statement = /*sql*/ `select ${texts.join(', ')} from hard order by n`;
  return (await client.query({ text: statement, rowMode: 'array' })).rows as (string | null)[][];
}

const sizes = [1, 2, 3, 7, 61, 1_000, 65_536, 1e9];
const limits = [1, 2, 7, 100, 1_000, 1e9];

describe.each(['text', 'binary'] as const)('%s, with the server as judge', (format) => {
  test('batches of any size out of chunks of any size hold its rows, cursors equal the server', async () => {
    const all = await cursorsOfServer();
    for (const size of sizes) {
      const rows = size < 8 ? 100 : rowCount;
      const bytes = await answerOf(format, rows);
      for (const batchRowsMax of limits) {
        const batchBytesMax = batchRowsMax === 7 ? 3_000 : 1e9;
        const batches = [...cut(bytes, size, { format, batchRowsMax, batchBytesMax })];
        let seen = 0;
        const ends = batches.map((batch) => (seen += batch.rows));
        expect(batches.map((batch) => cursorOf(format, batch))).toEqual(
          ends.map((end) => all[end - 1]),
        );
        expect(seen).toBe(rows);
      }
    }
  });

  test.each([1, 37, 1e9])(
    'each batch of at most %d rows loads alone, and nothing changes on the way',
    async (batchRowsMax) => {
      await client.query(
        /*sql*/ `create temporary table copy as select ${columns} from hard limit 0`,
      );
      try {
        const bytes = await answerOf(format, rowCount);
        for (const batch of cut(bytes, 8_192, { format, batchRowsMax, batchBytesMax: 1e9 })) {
          expect(await load('copy', format, [...messageBodies(batch.chunks)])).toBe(batch.rows);
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
    const bytes = await answerOf(format, 0);
    expect([...cut(bytes, 1, { format, batchRowsMax: 1, batchBytesMax: 1 })]).toEqual([]);
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
