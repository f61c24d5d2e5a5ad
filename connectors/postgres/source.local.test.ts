import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Failure } from '../../domain/failure.ts';
import { encodings } from '../../domain/load.ts';
import {
  connectAs,
  directReach,
  Ends,
  going,
  modelOf,
  settingsOf,
} from '../../test/harness/postgres-ends.ts';
import { findTable } from './catalog.ts';
import { SourceSettings } from './declaration.ts';
import { buildRead } from './read-statement.ts';
import { readerSettings } from './read.ts';
import { Session } from './session.ts';
import { setSettings } from './sql.ts';

const columns = [
  ['at', 'timestamp', 'last_modified'],
  ['id', 'integer', 'key'],
] as const;

describe.each([12, 15, 18] as const)('reading from Postgres %i', (major) => {
  let ends: Ends;

  beforeAll(async () => {
    ends = await Ends.create({ major });
  });
  afterAll(() => ends[Symbol.asyncDispose]());

  test.each(['tenant, at, id', 'tenant, at desc, id desc'])(
    'goes by the index on %s to its place in the tenant, and sorts nothing',
    async (indexed) => {
      await ends.source.query('drop table if exists big');
      await ends.source.query(
        'create table big (tenant text, at timestamptz, id int primary key, pad text)',
      );
      await ends.source.query(
        `insert into big select 't' || n % 4, timestamptz '2026-01-01' + n * 7919 % 40000 * interval '1 s', n,
        repeat('x', 50) from generate_series(1, 40000) n`,
      );
      await ends.source.query(`create index on big (${indexed}); analyze big`);
      const table = modelOf(columns, { source_table: 'big' });
      const request = ends.request(table, {
        tenant: { column: 'tenant', id: 't1' },
        resumeAfter: { lastModified: '2026-01-01 01:00:00+00', key: ['1'] },
      });
      await using session = await Session.open({
        settings: SourceSettings.parse(settingsOf(ends.from)),
        side: 'source',
        reach: directReach,
      });
      const statement = buildRead(await findTable(session, table.relation), request);
      const query = statement.copy.replace(/^copy \(/, '').replace(/\) to stdout.*$/, '');
      await session.begin('begin', readerSettings);
      await session.rows(setSettings([...statement.settings.keys()]), [
        ...statement.settings.values(),
      ]);
      const plan = await session.rows<{ 'QUERY PLAN': string }>(`explain ${query}`);
      const text = plan.map((line) => line['QUERY PLAN']).join('\n');
      expect(text).not.toContain('Sort');
      expect(text).toMatch(/Index Cond: \(\(tenant = .*ROW\(at, id\) > /);
    },
  );

  test('new rows are counted alike in every encoding', async () => {
    await ends.source.query(
      'create table stamped (tenant text, at timestamptz, id int primary key)',
    );
    await ends.source.query(
      `insert into stamped select 'acme', timestamptz '2026-01-01' + n * interval '1 us', n
        from generate_series(1, 10) n`,
    );
    const table = modelOf(columns, { source_table: 'stamped' });
    await using source = ends.openSource();
    for (const encoding of encodings) {
      const deltaAfter = '2026-01-01 00:00:00.000004+00';
      const request = ends.request(table, { encoding, deltaAfter, batchRowsMax: 3 });
      const batches = await Array.fromAsync(source.read(request, going));
      expect(batches.map(({ deltaRows }) => deltaRows)).toEqual([0, 2, 3, 1]);
      expect(batches.at(-1)?.cursor).toEqual({
        lastModified: '2026-01-01 00:00:00.00001+00',
        key: ['10'],
      });
    }
  });

  const running = async () => {
    const watcher = await connectAs(ends.from);
    const { rows } = await watcher.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity
        where application_name = 'waybill-read' and datname = current_database()`,
    );
    await watcher.end();
    return rows[0]?.count;
  };

  test.each([
    [
      'sends nothing yet',
      `select 'acme'::text as tenant, now() as at, (pg_sleep(600)::text || '1')::int as id`,
    ],
    [
      'is in the middle of its rows',
      `select 'acme'::text as tenant, now() as at, n::int as id from generate_series(1, 50000000) n`,
    ],
  ])('a statement that %s is gone from the server once it is aborted', async (_, query) => {
    await ends.source.query(`create or replace view endless as ${query}`);
    const table = modelOf(columns, { source_table: 'endless' });
    const source = ends.openSource();
    const stop = new AbortController();
    const reading = (async () => {
      for await (const batch of source.read(ends.request(table), stop.signal))
        expect(batch.rows).toBeGreaterThan(0);
    })();
    const ended = reading.catch((error: unknown) => error);
    await expect.poll(running).toBe(1);
    stop.abort(new Failure('no_progress', 'Too slow.'));
    expect(await ended).toMatchObject({ kind: 'no_progress' });
    await expect.poll(running, { timeout: 5000 }).toBe(0);
    await source[Symbol.asyncDispose]();
    await ends.source.query('drop view endless');
  });

  test('a source can be used again after a read was left', async () => {
    await ends.source.query(
      `create view numbers as select 'acme'::text as tenant, now() as at, n as id
        from generate_series(1, 9) n`,
    );
    const table = modelOf(columns, { source_table: 'numbers' });
    await using source = ends.openSource();
    for await (const batch of source.read(ends.request(table, { batchRowsMax: 1 }), going)) {
      expect(batch.rows).toBe(1);
      break;
    }
    expect(
      await Array.fromAsync(source.read(ends.request(table, { batchRowsMax: 3 }), going)),
    ).toHaveLength(3);
  });

  test('a value that the source itself cannot convert is refused without the value', async () => {
    await ends.source.query(
      `create table raw (tenant text, at timestamptz default now(), id int, v text)`,
    );
    await ends.source.query(`insert into raw values ('acme', now(), 1, 'canary')`);
    await ends.source.query(`create view cooked as select tenant, at, id, v::int as v from raw`);
    const table = modelOf([...columns, ['v', 'integer']], { source_table: 'cooked' });
    await using source = ends.openSource();
    const error: unknown = await Array.fromAsync(source.read(ends.request(table), going)).catch(
      (caught: unknown) => caught,
    );
    expect(error).toMatchObject({ kind: 'source_mismatch', code: 'QRYX' });
    expect(JSON.stringify([String(error), error])).not.toContain('canary');
  });
});
