// Promise 4: values arrive exact, whatever the servers, databases and logins at both ends are set to.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { databaseUrl, runSql } from '../harness/database.ts';
import { startPrivatePostgres, type PrivatePostgres } from '../harness/postgres-process.ts';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { runAllTransfers, Zoo, type ZooPlace } from './4-zoo.ts';

/** Of a server. Those after the empty line cost time or rights and no value, if all is well. */
const oddSettings = {
  datestyle: 'German, DMY',
  timezone: 'Asia/Kathmandu',
  intervalstyle: 'sql_standard',
  extra_float_digits: '-15',
  bytea_output: 'escape',
  array_nulls: 'off',
  xmloption: 'document',
  standard_conforming_strings: 'off',
  client_encoding: 'LATIN1',
  transform_null_equals: 'on',
  quote_all_identifiers: 'on',

  default_transaction_isolation: 'serializable',
  default_transaction_deferrable: 'on',
  row_security: 'off',
  session_replication_role: 'replica',
  work_mem: '64kB',
  maintenance_work_mem: '1MB',
  max_wal_size: '32MB',
  min_wal_size: '32MB',
  shared_buffers: '16MB',
  jit_above_cost: '0',
  enable_indexscan: 'off',
  enable_nestloop: 'off',
  track_activities: 'off',
  synchronous_commit: 'off',
};

let system: System;
let server: PrivatePostgres;

beforeAll(async () => {
  system = await createSystem({ limits: { batchRowsMax: 3 } });
  server = await startPrivatePostgres({ settings: oddSettings });
});
afterAll(async () => {
  await system[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** A database of the odd server with settings of its own on top. */
async function createPlace(settings: readonly string[] = []): Promise<ZooPlace> {
  const name = `zoo_${randomUUID().slice(0, 8)}`;
  const url = databaseUrl(server, 'postgres');
  await runSql(url, `create database ${name}`);
  await runSql(databaseUrl(server, name), shadows);
  for (const setting of settings) await runSql(url, `alter database ${name} set ${setting}`);
  const { host, port, user, password } = server;
  return { host, port, user, password, name, major: 18 };
}

/** What an accident or an enemy may have put in front of the server's own at a source. */
const shadows = `
  create schema shadow;
  create function shadow.now() returns timestamptz language sql as $$select timestamptz '2999-01-01'$$;
  create function shadow.to_jsonb(anyarray) returns jsonb language sql as $$select jsonb '"shadow"'$$;
  create table shadow.pg_stat_activity (pid int)`;

async function check(from: ZooPlace, to: ZooPlace): Promise<void> {
  await using zoo = await Zoo.create(system, from, to);
  const { stages } = await runAllTransfers(zoo);
  for (const [stage, models] of Object.entries(stages))
    for (const { wanted, landed } of models) expect(landed, stage).toEqual(wanted);
}

test('no setting of the servers changes a value', { timeout: 240_000 }, async () => {
  await check(await createPlace(), await createPlace([`datestyle = 'SQL, DMY'`]));
});

test(
  'nothing that stands before the catalog on the search path of a source changes a value',
  { timeout: 240_000 },
  async () => {
    const path = 'search_path = shadow, public, pg_catalog';
    await check(await createPlace([path]), await createPlace());
  },
);
