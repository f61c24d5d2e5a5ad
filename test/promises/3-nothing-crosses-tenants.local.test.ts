// Promise 3: a destination receives rows whose tenant column equals its recipient's id, and no others.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findTable } from '../../connectors/postgres/catalog.ts';
import { SourceSettings } from '../../connectors/postgres/declaration.ts';
import { buildRead } from '../../connectors/postgres/read-statement.ts';
import { Session } from '../../connectors/postgres/session.ts';
import type { Source } from '../../connectors/connector.ts';
import { toFailure } from '../../domain/failure.ts';
import { encodings, type Encoding } from '../../domain/load.ts';
import { messageBodies } from '../../formats/copy-messages.ts';
import { parseCopyTextRows } from '../../formats/copy-text.ts';
import { directReach, Ends, going, modelOf, settingsOf } from '../harness/postgres-ends.ts';

const columns = [
  ['at', 'timestamp', 'last_modified'],
  ['id', 'integer', 'key'],
] as const;
const table = modelOf(columns, { source_table: 'owned' });

/** What a read of one tenant came to: the ids of its rows, or that its id was refused. */
type Outcome = readonly string[] | 'refused';

describe.each([12, 15, 18] as const)('of Postgres %i', (major) => {
  let ends: Ends;

  beforeAll(async () => {
    ends = await Ends.create({ major });
    await ends.source.query(`
      create extension citext;
      create type region as enum ('eu', 'us', 'EU');
      create domain account as varchar(8) check (value <> 'nobody');
      create domain amount as numeric(6, 2);
      create collation lenient (provider = icu, locale = 'und-u-ks-level1', deterministic = false)`);
  });
  afterAll(() => ends[Symbol.asyncDispose]());

  /** One row per tenant, with its place as the id. */
  async function fill(type: string, tenants: readonly (string | null)[]): Promise<void> {
    await ends.source.query('drop table if exists owned cascade');
    await ends.source.query(
      `create table owned (tenant ${type}, at timestamptz default now(), id int primary key)`,
    );
    await ends.source.query('create index on owned (tenant, at, id)');
    await ends.source.query(
      `insert into owned (tenant, id) select t::${type}, n - 1
        from unnest($1::text[]) with ordinality as given(t, n)`,
      [tenants],
    );
  }

  async function readAs(source: Source, encoding: Encoding, id: string): Promise<Outcome> {
    const request = ends.request(table, { tenant: { column: 'tenant', id }, encoding });
    try {
      const batches = await Array.fromAsync(source.read(request, going));
      return batches.flatMap(({ chunks }) => idsIn(encoding, chunks));
    } catch (error) {
      expect(toFailure(error)).toMatchObject({ kind: 'source_mismatch', code: 'CONF' });
      return 'refused';
    }
  }

  /** Reads each id in every encoding, over one connection after the other. */
  async function check(expected: Readonly<Record<string, readonly number[] | 'refused'>>) {
    await using source = ends.openSource();
    for (const [id, ids] of Object.entries(expected)) {
      const wanted = ids === 'refused' ? ids : ids.map(String);
      for (const encoding of encodings) {
        expect(await readAs(source, encoding, id), `tenant "${id.slice(0, 20)}"`).toEqual(wanted);
      }
    }
  }

  test.each(['smallint', 'integer', 'bigint', 'numeric'])(
    'a tenant column of type %s gives its own number, and refuses what no row can equal',
    async (type) => {
      await fill(type, ['1', '7', '70', '-7', null]);
      await check({ '7': [1], '8': [], '-7': [3] });
      // To the server most of these are 7. A transfer of nothing would look like a tenant without rows.
      const others = ['07', ' 7', '7 ', '+7', '0x7', '7e0', 'abc', '7 or true', '7)--', '7\n', ''];
      await check(Object.fromEntries(others.map((id) => [id, 'refused'])));
    },
  );

  test('a numeric tenant column with decimals wants the id as it shows its rows', async () => {
    await fill('numeric(6, 2)', ['1', '10', '1.5']);
    await check({ '1.00': [0], '1.50': [2], '1': 'refused', '1.5': 'refused', '1.001': 'refused' });
    await fill('amount', ['1', '10']);
    await check({ '1.00': [0], '1': 'refused', '99999': 'refused', NaN: [] });
  });

  test('a numeric tenant column without a scale keeps 1 and 1.00 apart', async () => {
    await fill('numeric', ['1', '1.00', '1.0']);
    await check({ '1': [0], '1.00': [1], '1.0': [2], '1.000': [] });
  });

  test('a uuid is wanted in the form that the server prints', async () => {
    const id = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';
    await fill('uuid', [id, `${id.slice(0, -1)}2`, null]);
    await check({
      [id]: [0],
      [id.replaceAll('-', '')]: 'refused',
      [id.toUpperCase()]: 'refused',
      [`{${id}}`]: 'refused',
      acme: 'refused',
    });
  });

  test('a column of limited length refuses an id that is longer, and minds no padding', async () => {
    await fill('char(6)', ['acme', 'acmes', 'acmesx']);
    await check({ acme: [0], acmes: [1], 'acme  ': 'refused', acmesxyz: 'refused' });
    await fill('varchar(6)', ['acme', 'acmesx', 'acme  ']);
    await check({ acme: [0], acmesx: [1], 'acme  ': [2], 'acme ': [], acmesxyz: 'refused' });
    await fill('account', ['acme', 'ACME']);
    await check({ acme: [0], ACME: [1], nobody: [], toolongforit: 'refused' });
  });

  test('types and collations that call different ids equal are not believed', async () => {
    const alike = ['Acme', 'acme', 'ACME', 'ácme', 'a\u0301cme', 'ａｃｍｅ'];
    const each = Object.fromEntries(alike.map((id, index) => [id, [index]]));
    await fill('citext', alike);
    await check({ ...each, aCME: [] });
    await fill('text collate lenient', alike);
    await check({ ...each, aCME: [] });
  });

  test('other types give what is written just so, or refuse', async () => {
    await fill('region', ['eu', 'us', 'EU']);
    await check({ eu: [0], EU: [2], Eu: 'refused', ' eu': 'refused' });
    await fill('boolean', ['true', 'false', null]);
    await check({ true: [0], t: 'refused', yes: 'refused', '1': 'refused' });
    await fill('inet', ['10.0.0.1', '10.0.0.1/8']);
    await check({ '10.0.0.1/32': [0], '10.0.0.1/8': [1], '10.0.0.1': 'refused' });
    await fill('bytea', ['\\x61', '\\x6162']);
    await check({ '\\x61': [0], '\\x6162': [1], a: 'refused' });
    await fill('date', ['2026-03-02', '2026-02-03']);
    await check({ '2026-03-02': [0], '02.03.2026': 'refused', today: 'refused' });
  });

  test('hostile ids are taken for what they are', async () => {
    const hostile = [
      `'; drop table owned; --`,
      `\\' or 1=1`,
      `' or ''='`,
      'E\\x27',
      '$1',
      '$$',
      '%',
      '_',
      '%s',
      `"`,
      `""`,
      '\\',
      '\\\\',
      '\\N',
      '\\.',
      '\\u0041',
      'A',
      'a\tb',
      'a\nb',
      'a\r\nb',
      'é',
      'e\u0301',
      'ﬁ',
      'fi',
      'İ',
      'ß',
      'ss',
      '😀',
      '\u202eacme',
      'acme',
      'acme\u200b',
      '\ufeffacme',
      'acme\u00ad',
      ' acme',
      'acme ',
      'acme\u00a0',
      'аcme',
      'NULL',
      'null',
      'default',
      '{}',
      '0',
      '-0',
      '00',
      '\u0001',
      '\u007f',
      '\ufffd',
      'x'.repeat(10_000),
      'x'.repeat(10_001),
    ];
    // Beyond what an index takes in one entry, so this one has none.
    await fill('text', [...hostile, '', null]);
    await check(Object.fromEntries(hostile.map((id, index) => [id, [index]])));
    // A lone surrogate would reach the server as U+FFFD, which is another text.
    await check({ '': 'refused', 'a\0b': 'refused', '\ud800': 'refused', acm: [] });
  });

  test('no search path puts other comparisons in place of the filter', async () => {
    await fill('text', ['acme', 'other', '']);
    await ends.source.query(`create schema shadow`);
    await ends.source.query(`
      create function shadow.yes(text, text) returns boolean language sql immutable as 'select true';
      create operator shadow.= (leftarg = text, rightarg = text, function = shadow.yes);
      create operator shadow.<> (leftarg = text, rightarg = text, function = shadow.yes);
      create function shadow.current_setting(text) returns text language sql as $$select 'other'$$;
      create function shadow.set_config(text, text, boolean) returns text language sql
        as $$select pg_catalog.set_config($1, 'other', $3)$$;
      create collation shadow."C" (provider = icu, locale = 'und-u-ks-level1', deterministic = false)`);
    const login = `shadowed_${ends.from.name}`;
    await ends.source.query(`create role ${login} superuser login password 'shadow';
      alter role ${login} set search_path = shadow, pg_catalog, public`);
    await using source = ends.openSource({
      password_auth: { username: login, password: 'shadow' },
    });
    for (const encoding of encodings) {
      expect(await readAs(source, encoding, 'acme')).toEqual(['0']);
      expect(await readAs(source, encoding, 'nobody')).toEqual([]);
    }
  });

  test('a setting that is not set, or was set by the transaction before, matches nothing', async () => {
    await fill('text', ['acme', '', null]);
    await using session = await Session.open({
      settings: SourceSettings.parse(settingsOf(ends.from)),
      side: 'source',
      reach: directReach,
    });
    const request = ends.request(table);
    const { copy } = buildRead(await findTable(session, table.relation), request);
    const query = copy.replace(/^copy \(/, '').replace(/\) to stdout.*$/, '');
    const read = () => session.transaction(() => session.rows(query));
    await expect(read()).rejects.toMatchObject({ kind: 'source_mismatch' });
    const set = `select set_config('waybill.tenant', 'acme', true)`;
    const found = await session.transaction(async () => [
      await session.rows(set),
      await session.rows(query),
    ]);
    expect(found[1]).toHaveLength(1);
    expect(await read()).toEqual([]);
  });

  test(
    'ids that are nearly equal are kept apart, whatever they are',
    { timeout: 60_000 },
    async () => {
      await using source = ends.openSource();
      await fc.assert(
        fc.asyncProperty(nearlyEqual, fc.constantFrom(...encodings), async (ids, encoding) => {
          await fill('text', ids);
          for (const [index, id] of ids.entries())
            expect(await readAs(source, encoding, id)).toEqual([String(index)]);
        }),
        { numRuns: 40, endOnFailure: true },
      );
    },
  );

  test('a row that leaves the tenant while it is read never brings what it became', async () => {
    await ends.source.query('drop table if exists owned cascade');
    await ends.source.query(
      `create table owned (tenant text, at timestamptz, id int primary key, note text);
       insert into owned select 'acme', timestamptz '2026-01-01' + n * interval '1 s', n, 'of acme'
         from generate_series(1, 6) n`,
    );
    const noted = modelOf([...columns, ['note', 'string']], { source_table: 'owned' });
    await using source = ends.openSource();
    await using destination = ends.openDestination();
    const load = await destination.open(ends.plan(noted), going);
    const limits = { batchRowsMax: 2 };
    for await (const batch of source.read(ends.request(noted, limits), going)) {
      await load.write(batch, going);
      break;
    }
    // One that has landed, one that has not, and one that comes from elsewhere.
    await ends.source.query(
      `insert into owned values ('other', '2025-12-31', 7, 'of other');
       update owned set tenant = 'other', note = 'of other' where id in (1, 4);
       update owned set tenant = 'acme', note = 'of acme', at = now() where id = 7`,
    );
    const { resumeAfter } = load.progress;
    for await (const batch of source.read(ends.request(noted, { ...limits, resumeAfter }), going))
      await load.write(batch, going);
    await load.finish(ends.close(), going);
    const landed = await ends.destination.query<{ id: number; note: string }>(
      'select id, note from landed.things order by id',
    );
    expect(landed.rows.map(({ id }) => id)).toEqual([1, 2, 3, 5, 6, 7]);
    expect(landed.rows.every(({ note }) => note === 'of acme')).toBe(true);
    await ends.land(noted, {
      transferId: 'refresh',
      epoch: { startedAtMicros: 2, step: 1, attempt: 1 },
    });
    const refreshed = await ends.destination.query('select from landed.things where id = 1');
    expect(refreshed.rows).toEqual([]);
  });
});

/** What people and programs do to an id without noticing. */
const changes: readonly ((id: string) => string)[] = [
  (id) => id.toUpperCase(),
  (id) => id.toLowerCase(),
  (id) => id.normalize('NFC'),
  (id) => id.normalize('NFD'),
  (id) => id.normalize('NFKC'),
  (id) => id.trim(),
  (id) => `${id} `,
  (id) => ` ${id}`,
  (id) => `${id}\u200b`,
  (id) => `${id}\n`,
  (id) => `'${id}'`,
  (id) => id.replaceAll(`'`, `''`),
  (id) => id.replaceAll('\\', '\\\\'),
  (id) => id.slice(0, -1),
  (id) => id + id,
  (id) => `0${id}`,
  (id) => `%${id}`,
];

const storable = (id: string) => id !== '' && !id.includes('\0') && id.isWellFormed();

const nearlyEqual = fc
  .tuple(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
    fc.subarray([...changes], { minLength: 3 }),
  )
  .map(([id, some]) => [...new Set([id, ...some.map((change) => change(id))])].filter(storable))
  .filter((ids) => ids.length > 1);

/** Of rows of a timestamptz and an int4. */
function idsIn(encoding: Encoding, chunks: readonly Buffer[]): string[] {
  if (encoding === 'copy_text') return textIds(Buffer.concat(chunks));
  const bodies = [...messageBodies(chunks)];
  if (encoding === 'copy_text_messages') return textIds(Buffer.concat(bodies));
  // The first and the last are the header and the trailer.
  return bodies.slice(1, -1).map((row) => String(row.readInt32BE(row.length - 4)));
}

function textIds(bytes: Buffer): string[] {
  return parseCopyTextRows(bytes).map((fields) => fields[1] ?? '');
}
