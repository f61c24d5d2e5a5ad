// Promise 4: texts arrive exact between databases of other encodings, or are refused clearly.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, databaseUrl, runSql } from '../harness/database.ts';
import { connectAs, Ends, going, modelOf, settingsOf } from '../harness/postgres-ends.ts';
import { encodings } from '../../domain/load.ts';

const table = modelOf([
  ['at', 'timestamp', 'last_modified'],
  ['id', 'string', 'key'],
  ['note', 'string'],
]);

const names = ['UTF8', 'LATIN1', 'SQL_ASCII'] as const;
type EncodingName = (typeof names)[number];

let ends: Ends;
let started = 1;
const databases = new Map<EncodingName, string>();

beforeAll(async () => {
  ends = await Ends.create();
  for (const name of names) {
    const database = `encoded_${randomUUID().slice(0, 8)}`;
    await runSql(
      databaseUrl(ends.from, 'postgres'),
      `create database ${database} encoding '${name}' template template0 lc_collate 'C' lc_ctype 'C'`,
    );
    await runSql(
      databaseUrl(ends.from, database),
      'create table things (tenant text, at timestamptz default now(), id text, note text)',
    );
    databases.set(name, database);
  }
});
afterAll(async () => {
  for (const database of databases.values())
    await runSql(databaseUrl(ends.from, 'postgres'), `drop database ${database} with (force)`);
  await ends[Symbol.asyncDispose]();
});

interface Move {
  readonly from: EncodingName;
  readonly to: EncodingName;
  /** The bytes of a text in the encoding of the source, in hexadecimal. */
  readonly bytes: string;
  readonly tenant?: string;
}

/** @returns the bytes that stand at the destination afterwards, for each way to travel */
async function move({ from, to, bytes, tenant = 'acme' }: Move): Promise<string[]> {
  const [at, into] = [from, to].map((name) => databases.get(name) ?? '');
  await using source = ends.openSource({ database: at });
  await using destination = ends.openDestination({ database: into });
  const vendor = await connectAs({ ...ends.from, name: at ?? '' });
  const customer = await connectAs({ ...ends.from, name: into ?? '' });
  try {
    const text = `convert_from('\\x${bytes}', '${from}')`;
    await vendor.query('truncate things');
    await vendor.query(`insert into things (tenant, id, note) values ('acme', ${text}, ${text})`);
    const found: string[] = [];
    for (const encoding of encodings) {
      started += 1;
      const epoch = { startedAtMicros: started, step: 1, attempt: 1 };
      const plan = ends.plan(table, { encoding, epoch, transferId: String(started) });
      const load = await destination.open(plan, going);
      const whose = { column: 'tenant', id: tenant };
      for await (const batch of source.read(
        ends.request(table, { encoding, tenant: whose }),
        going,
      ))
        await load.write(batch, going);
      await load.finish(ends.close(), going);
      const { rows } = await customer.query<{ hex: string }>(
        `select encode(convert_to(id || note, '${to}'), 'hex') as hex from landed.things`,
      );
      found.push(...rows.map(({ hex }) => hex));
    }
    return found;
  } finally {
    await Promise.all([vendor.end(), customer.end()]);
  }
}

const hex = (text: string, encoding: 'utf8' | 'latin1') =>
  Buffer.from(text, encoding).toString('hex');
const umlauts = 'Grüße für 5 ½ ÿ';
const kanji = '日本 😀';

test.each([
  ['LATIN1', 'UTF8', hex(umlauts, 'latin1'), hex(umlauts, 'utf8')],
  ['UTF8', 'LATIN1', hex(umlauts, 'utf8'), hex(umlauts, 'latin1')],
  ['LATIN1', 'LATIN1', hex(umlauts, 'latin1'), hex(umlauts, 'latin1')],
  ['LATIN1', 'SQL_ASCII', hex(umlauts, 'latin1'), hex(umlauts, 'utf8')],
  ['SQL_ASCII', 'UTF8', hex(kanji, 'utf8'), hex(kanji, 'utf8')],
  ['UTF8', 'SQL_ASCII', hex(kanji, 'utf8'), hex(kanji, 'utf8')],
] as const)(
  'what fits from %s into %s arrives as the same text',
  async (from, to, bytes, wanted) => {
    expect(await move({ from, to, bytes })).toEqual(encodings.map(() => wanted + wanted));
  },
);

test.each([
  ['UTF8', 'LATIN1', hex(kanji, 'utf8'), 'the destination cannot store'],
  ['SQL_ASCII', 'UTF8', hex('für', 'latin1'), 'not valid in its own encoding'],
] as const)('what does not fit from %s into %s is refused', async (from, to, bytes, sentence) => {
  await expect(move({ from, to, bytes })).rejects.toMatchObject({
    kind: 'value_refused',
    message: expect.stringContaining(sentence),
  });
});

test('a tenant id that the source has no characters for is refused', async () => {
  const bytes = hex('any', 'latin1');
  await expect(move({ from: 'LATIN1', to: 'UTF8', bytes, tenant: kanji })).rejects.toMatchObject({
    kind: 'source_mismatch',
    code: 'CONF',
  });
});

test('limits of a login on its statements do not cut a transfer short', async () => {
  const login = `hurried_${ends.from.name}`;
  await ends.source.query(`create role ${login} superuser login password 'hurried';
    alter role ${login} set statement_timeout = '300ms';
    alter role ${login} set idle_in_transaction_session_timeout = '300ms';
    alter role ${login} set transaction_timeout = '300ms';
    create table things (tenant text, at timestamptz default now(), id text, note text);
    insert into things (tenant, id, note) select 'acme', n, 'slow' from generate_series(1, 8) n;
    create view slow as select * from things where pg_sleep(0.1) is not null`);
  const hurried = { password_auth: { username: login, password: 'hurried' } };
  await using source = ends.openSource(hurried);
  await using destination = ends.openDestination(hurried);
  const load = await destination.open(ends.plan(table), going);
  const model = { ...table, relation: { schema: undefined, table: 'slow' } };
  for await (const batch of source.read(ends.request(model, { batchRowsMax: 3 }), going))
    await load.write(batch, going);
  await load.finish(ends.close(), going);
  expect((await ends.destination.query('select from landed.things')).rows).toHaveLength(8);
});

test('an infinite number is refused where the destination is too old to have one', async () => {
  await using old = await createTestDatabase({ major: 12 });
  await ends.source
    .query(`create table amounts (tenant text, at timestamptz default now(), id int, v numeric);
    insert into amounts values ('acme', now(), 1, 'Infinity')`);
  const amounts = modelOf(
    [
      ['at', 'timestamp', 'last_modified'],
      ['id', 'integer', 'key'],
      ['v', 'decimal'],
    ],
    { source_table: 'amounts' },
  );
  for (const encoding of encodings) {
    await using source = ends.openSource();
    await using destination = ends.openDestination(settingsOf(old));
    started += 1;
    const epoch = { startedAtMicros: started, step: 1, attempt: 1 };
    const plan = ends.plan(amounts, { encoding, epoch, transferId: String(started) });
    const load = await destination.open(plan, going);
    const copying = (async () => {
      for await (const batch of source.read(ends.request(amounts, { encoding }), going))
        await load.write(batch, going);
    })();
    await expect(copying).rejects.toMatchObject({ kind: 'value_refused', code: 'TYPE' });
  }
});
