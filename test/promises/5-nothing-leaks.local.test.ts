// Promise 5: no row value and no credential is in Temporal, logs, errors or API answers, nor in our database.
import { escapeIdentifier, escapeLiteral } from 'pg';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestDatabase } from '../harness/database.ts';
import { createTestDatabase } from '../harness/database.ts';
import { exportHistories } from '../harness/histories.ts';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { submit, transfer, waitForEnd } from '../harness/transfers.ts';
import { connect, connectionBlock } from '../harness/vendor.ts';
import type { WorkerProcess } from '../harness/worker-process.ts';
import { spawnWorker } from '../harness/worker-process.ts';
import { describeWorkflows, dumpMetadata } from './5-watchers.ts';

/** In every row value and every password. */
const canary = 'CANARY';

/** The tenant's id: the API and our database have it, Temporal and the logs have not. */
const tenant = `PARROT '\\ $1`;

/** The day of every last-modified value, which our database may keep as a watermark. */
const day = '2019-03-04';

const soon = { timeout: 30_000 };
const settings = { WAYBILL_LOG_LEVEL: 'trace', WAYBILL_BATCH_ROWS: '10' };

let system: System;
let source: TestDatabase;
let destination: TestDatabase;
let vendorSql: pg.Client;
let customerSql: pg.Client;
const workers: WorkerProcess[] = [];

beforeAll(async () => {
  system = await createSystem({ worker: 'none' });
  workers.push(await spawnWorker(system, settings));
  [source, destination] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  vendorSql = await connect(source);
  customerSql = await connect(destination);
});

afterAll(async () => {
  for (const worker of workers) await worker[Symbol.asyncDispose]();
  await vendorSql.end();
  await customerSql.end();
  await system[Symbol.asyncDispose]();
  await source.drop();
  await destination.drop();
});

const types = { id: 'string', note: 'string', body: 'json', changed_at: 'timestamp' };
const columns = Object.entries(types).map(([name, type]) => ({
  name_in_source: name,
  name_in_destination: name,
  data_type: type,
  ...(name === 'id' ? { is_primary_key: true } : {}),
  ...(name === 'changed_at' ? { is_last_modified: true } : {}),
}));

/** A login whose password carries the canary. */
async function createLogin(sql: pg.Client, database: TestDatabase): Promise<TestDatabase> {
  const user = `login_${database.name}`;
  const password = `${canary}-password '/@:%`;
  await sql.query(
    /*sql*/ `create role ${escapeIdentifier(user)} superuser login password ${escapeLiteral(password)}`,
  );
  return { ...database, user, password };
}

function model(table: string): object {
  return {
    model_name: table,
    source_name: 'source',
    source_table: table,
    organization_column: 'tenant',
    columns,
  };
}

/** @returns the destination's id */
async function setUp(): Promise<string> {
  await vendorSql.query(/*sql*/ `create table secrets
      (tenant text, id text primary key, note text, body json, changed_at timestamptz)`);
  await vendorSql.query(/*sql*/ `create index on secrets (tenant, changed_at, id);
    create view cooked as select tenant, id, note::int::text as note, body, changed_at from secrets`);
  await vendorSql.query(
    /*sql*/ `insert into secrets select $1, '${canary}-key-' || n, '${canary}-note',
        '{"a": "${canary}-json"}', timestamptz '${day} 00:00:00.424242+00'
      from generate_series(1, 35) n`,
    [tenant],
  );
  const from = await createLogin(vendorSql, source);
  const to = await createLogin(customerSql, destination);
  const postgres = connectionBlock(from, 'public');
  await system.api('POST', '/sources', {
    source: { name: 'source', vendor: 'postgres', postgres },
  });
  for (const table of ['secrets', 'cooked'])
    // The sample would refuse the view, which is to fail in a transfer.
    await system.api('POST', '/models', {
      model: { ...model(table), skip_model_validation: true },
    });
  const made = await system.api<{ destination: { id: string } }>('POST', '/destinations', {
    destination: {
      name: 'destination',
      vendor: 'postgres',
      id_in_provider_system: tenant,
      enabled_models: ['secrets'],
      postgres: connectionBlock(to, 'landed'),
    },
  });
  return made.destination.id;
}

/** Changes every row, and stamps it a minute later. */
async function change(assignment: string): Promise<void> {
  await vendorSql.query(
    /*sql*/ `update secrets set ${assignment}, changed_at = changed_at + interval '1 min'`,
  );
}

async function fail(destinationId: string, body: object = {}): Promise<void> {
  const ended = await waitForEnd(system, await submit(system, destinationId, body));
  expect(ended.status).toBe('ERROR');
}

/** What drivers quote: a value refused, a constraint, a trigger, a view, a key that is not unique. */
async function failInEveryWay(destinationId: string): Promise<void> {
  await customerSql.query(/*sql*/ `create function landed.obstacle() returns trigger language plpgsql as
      $$begin raise exception '%', new using detail = new.note, constraint = new.note, table = new.id; end$$;
    create trigger obstacle before update on landed.secrets for each row execute function landed.obstacle();
    alter table landed.secrets disable trigger obstacle`);
  await change(String.raw`body = '{"${canary}": "\u0000"}'`);
  await fail(destinationId);
  await change(`body = '{}'`);
  const refused = `note <> '${canary}-refused'`;
  for (const [put, take] of [
    [`add constraint obstacle check (${refused})`, 'drop constraint obstacle'],
    [
      `add constraint obstacle exclude (note with =) where (not (${refused}))`,
      'drop constraint obstacle',
    ],
    ['enable trigger obstacle', 'disable trigger obstacle'],
  ]) {
    await customerSql.query(/*sql*/ `alter table landed.secrets ${put}`);
    await change(`note = '${canary}-refused'`);
    await fail(destinationId);
    await customerSql.query(/*sql*/ `alter table landed.secrets ${take}`);
  }
  const { id } = await destinationObject(destinationId);
  await system.api('PATCH', `/destinations/${id}`, { destination: { enabled_models: ['cooked'] } });
  await fail(destinationId);
  await system.api('PATCH', `/destinations/${id}`, {
    destination: { enabled_models: ['secrets'] },
  });
}

async function destinationObject(id: string): Promise<{ id: string }> {
  const path = `/destinations/${id}`;
  return (await system.api<{ destination: { id: string } }>('GET', path)).destination;
}

/** Kills the worker in the middle of a batch that a lock holds up, and lets the next one finish. */
async function crash(destinationId: string): Promise<string> {
  await change(`note = '${canary}-crashed'`);
  await customerSql.query(/*sql*/ `begin; lock table landed.secrets in exclusive mode`);
  const id = await submit(system, destinationId);
  const waiting = /*sql*/ `select from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and application_name = 'waybill-write'`;
  const watcher = await connect(destination);
  await expect.poll(async () => (await watcher.query(waiting)).rows.length, soon).toBe(1);
  await watcher.end();
  const described = await describeWorkflows(system.client);
  expect(described).toContain('copySlice');
  await workers[0]?.kill();
  workers.push(await spawnWorker(system, settings));
  await customerSql.query('rollback');
  expect(await waitForEnd(system, id, 120_000)).toMatchObject({ status: 'SUCCESS' });
  return described;
}

/** Connections that are refused or were never saved, and a model that does not fit. */
async function probe(destinationId: string): Promise<void> {
  const wrong = { username: source.user, password: `${canary}-wrong` };
  const postgres = { ...connectionBlock(source, 'public'), password_auth: wrong };
  await system.ask({
    method: 'POST',
    path: '/test-source',
    body: { source: { vendor: 'postgres', postgres } },
  });
  await customerSql.query(
    /*sql*/ `alter role ${escapeIdentifier(`login_${destination.name}`)} password 'another'`,
  );
  await fail(destinationId);
  await system.api('POST', `/destinations/${destinationId}/test-connection`, {});
  const unfit = { ...model('secrets'), model_name: 'unfit', organization_column: 'body' };
  await system.ask({ method: 'POST', path: '/models', body: { model: unfit } });
}

test('canaries are found at the destination and nowhere else', { timeout: 240_000 }, async () => {
  const destinationId = await setUp();
  await transfer(system, destinationId);
  await failInEveryWay(destinationId);
  const described = await crash(destinationId);
  await transfer(system, destinationId, { full_refresh: true });
  await probe(destinationId);

  const landed = await customerSql.query<{ row: string }>(
    /*sql*/ `select each::text as row from landed.secrets each`,
  );
  expect(landed.rows).toHaveLength(35);
  for (const word of [`${canary}-key-`, `${canary}-crashed`, day])
    expect(landed.rows[0]?.row).toContain(word);

  const printed = workers.flatMap(({ lines }) => lines).join('\n');
  const histories = `${await exportHistories(system.client)}${described}`;
  expect(histories).toContain('copySlice');
  expect(printed).toContain('step finished');
  expect(printed).toContain('"level":20');
  for (const word of [canary, 'PARROT', day]) {
    expect(histories).not.toContain(word);
    expect(printed).not.toContain(word);
    expect(system.logged.join('\n')).not.toContain(word);
  }
  expect(system.answered.join('\n')).not.toContain(canary);
  expect(await dumpMetadata(system.metadata)).not.toContain(canary);
});
