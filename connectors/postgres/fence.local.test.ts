import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Fence } from '../../domain/load.ts';
import { compareInstants, instantMicros } from '../../domain/instant.ts';
import { startPrivatePostgres, startStandby } from '../../test/harness/postgres-process.ts';
import {
  connectAs,
  directReach,
  Ends,
  going,
  modelOf,
  settingsOf,
} from '../../test/harness/postgres-ends.ts';
import { openSource } from './source.ts';

const columns = [
  ['at', 'timestamp', 'last_modified'],
  ['id', 'integer', 'key'],
] as const;

describe.each([12, 15, 18] as const)('the fence of Postgres %i', (major) => {
  let ends: Ends;
  const things = modelOf(columns);
  const role = `weak_${major}`;

  beforeAll(async () => {
    ends = await Ends.create({ major });
    await ends.source.query(
      'create table things (tenant text, at timestamptz default now(), id int primary key)',
    );
    await ends.source.query(
      `create role ${role} login password 'weak'; grant select on things to ${role}`,
    );
  });
  afterAll(async () => {
    await ends.source.query(`drop owned by ${role}; drop role ${role}`);
    await ends[Symbol.asyncDispose]();
  });

  async function take(more: object = {}, previous?: string): Promise<Fence> {
    await using source = ends.openSource(more);
    return await source.fence(things, previous);
  }

  /** What the server's clock says, and when a transaction of this client began. */
  async function begin(client: Client): Promise<string> {
    await client.query('begin');
    const { rows } = await client.query<{ at: string }>('select now()::text as at');
    return rows[0]?.at ?? '';
  }

  test('is sure, and five seconds behind the clock, where nothing is open', async () => {
    const fence = await take();
    expect(fence).toMatchObject({
      guarantee: 'commit_safe',
      reason: undefined,
      grant: undefined,
      position: undefined,
    });
    expect(instantMicros(fence.now) - instantMicros(fence.at)).toBe(5_000_000n);
  });

  test('stays below every open transaction, also one that has written nothing yet', async () => {
    const writer = await connectAs(ends.from);
    const began = await begin(writer);
    await new Promise((resolve) => setTimeout(resolve, 5_500));
    const fence = await take();
    expect(compareInstants(fence.at, began)).toBe(0);
    await writer.query('insert into things (tenant, id) values ($1, 1)', ['acme']);
    await writer.query('commit');
    await writer.end();
    await using source = ends.openSource();
    const window = { after: fence.at, upTo: undefined };
    expect(
      await Array.fromAsync(source.read(ends.request(things, { window }), going)),
    ).toHaveLength(1);
  });

  test('is not held back by reads of our own', async () => {
    const reader = await connectAs(ends.from);
    await reader.query(`set application_name = 'waybill-read'`);
    await begin(reader);
    const { at, now } = await take();
    expect(instantMicros(now) - instantMicros(at)).toBe(5_000_000n);
    await reader.end();
  });

  test('is no more than the lookback while sessions are hidden, and says which grant helps', async () => {
    const login = { password_auth: { username: role, password: 'weak' } };
    const fence = await take(login);
    expect(fence).toMatchObject({
      guarantee: 'lookback',
      grant: `grant pg_read_all_stats to "${role}"`,
    });
    await ends.source.query(fence.grant ?? '');
    expect(await take(login)).toMatchObject({ guarantee: 'commit_safe', grant: undefined });
    await ends.source.query(`revoke pg_read_all_stats from ${role}`);
  });

  test('is no more than the lookback while a writer shows no activity, which no grant mends', async () => {
    const writer = await connectAs(ends.from);
    await writer.query('set track_activities = off; begin');
    const fence = await take();
    expect(fence).toMatchObject({ guarantee: 'lookback', grant: undefined });
    await writer.end();
  });

  test('does not pass the one before while a prepared transaction is open', async () => {
    await ends.source.query(
      `begin; insert into things (tenant, id) values ('acme', 2); prepare transaction 'late'`,
    );
    expect(await take()).toMatchObject({ at: '-infinity', guarantee: 'lookback' });
    const previous = '2026-01-02 03:04:05.000006+00';
    expect(await take({}, previous)).toMatchObject({ at: previous, guarantee: 'lookback' });
    await ends.source.query(`rollback prepared 'late'`);
    expect((await take({}, previous)).at).not.toBe(previous);
  });

  test.each([
    ['a zoneless stamp', 'create table doubtful (tenant text, at timestamp, id int primary key)'],
    [
      'a rounded stamp',
      'create table doubtful (tenant text, at timestamptz(0), id int primary key)',
    ],
    ['a date', 'create table doubtful (tenant text, at date, id int primary key)'],
    ['a view', 'create view doubtful as select * from things'],
    ['a materialized view', 'create materialized view doubtful as select * from things'],
  ])('is no more than the lookback for %s', async (_, statement) => {
    await ends.source.query(statement);
    await using source = ends.openSource();
    const fence = await source.fence(modelOf(columns, { source_table: 'doubtful' }), undefined);
    expect(fence.guarantee).toBe('lookback');
    expect(fence.reason).toMatch(/\.$/);
    await ends.source.query(
      `drop ${statement.split(' ').slice(1, -1).join(' ').split(' doubtful')[0]} doubtful`,
    );
  });

  test('is sure for a table with local partitions', async () => {
    await ends.source.query(
      `create table parted (tenant text, at timestamptz, id int) partition by list (tenant)`,
    );
    await ends.source.query(`create table parted_acme partition of parted for values in ('acme')`);
    await using source = ends.openSource();
    const fence = await source.fence(modelOf(columns, { source_table: 'parted' }), undefined);
    expect(fence.guarantee).toBe('commit_safe');
  });
});

test('a standby gives its lookback and position, and one that is behind is not read', async () => {
  await using primary = await startPrivatePostgres({ settings: { wal_level: 'replica' } });
  await using standby = await startStandby(primary);
  const place = { ...primary, name: 'postgres' };
  const client = await connectAs({ ...place, user: primary.user });
  await client.query(
    'create table things (tenant text, at timestamptz default now(), id int primary key)',
  );
  await client.query(`insert into things values ('acme', now(), 1)`);
  const { rows } = await client.query<{ lsn: string }>('select pg_current_wal_lsn()::text as lsn');
  const source = openSource({ ...settingsOf({ ...place, port: standby.port }) }, directReach);
  await using _ = source;
  const table = modelOf(columns);
  const reader = await connectAs({ ...place, port: standby.port });
  for (let isThere = false; !isThere;) {
    const { rows: seen } = await reader.query<{ is_there: boolean }>(
      'select pg_last_wal_replay_lsn() >= $1::pg_lsn as is_there',
      [rows[0]?.lsn],
    );
    isThere = seen[0]?.is_there === true;
  }
  const fence = await source.fence(table, undefined);
  expect(fence).toMatchObject({
    guarantee: 'lookback',
    position: expect.stringMatching(/^[0-9A-F]+\/[0-9A-F]+$/),
  });
  expect(compareInstants(fence.at, fence.now)).toBeLessThanOrEqual(0);
  const read = (position: string | undefined) =>
    Array.fromAsync(source.read(requestOf(table, position), going));
  expect(await read(fence.position)).toHaveLength(1);
  await expect(read('FFFF/FFFFFFFF')).rejects.toMatchObject({ kind: 'source_busy' });
  await client.end();
  await reader.end();
});

function requestOf(table: ReturnType<typeof modelOf>, position: string | undefined) {
  return {
    relation: table.relation,
    columns: table.columns,
    key: table.key,
    lastModified: table.lastModified,
    tenant: { column: 'tenant', id: 'acme' },
    window: { after: undefined, upTo: undefined },
    resumeAfter: undefined,
    deltaAfter: undefined,
    encoding: 'copy_text' as const,
    batchBytesMax: 1000,
    batchRowsMax: 1000,
    position,
  };
}
