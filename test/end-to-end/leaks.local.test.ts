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

// Every value that must not get out carries this word.
const canary = 'CANARY';

let system: System;
let source: TestDatabase;
let destination: TestDatabase;
let vendorSql: pg.Client;
let customerSql: pg.Client;

beforeAll(async () => {
  system = await createSystem({ limits: { batchRowsMax: 10 } });
  [source, destination] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  vendorSql = await connect(source);
  customerSql = await connect(destination);
});

afterAll(async () => {
  await vendorSql.end();
  await customerSql.end();
  await system[Symbol.asyncDispose]();
  await source.drop();
  await destination.drop();
});

const columns = ['id', 'note', 'body', 'changed_at'].map((name) => ({
  name_in_source: name,
  name_in_destination: name,
  data_type: { id: 'string', note: 'string', body: 'json', changed_at: 'timestamp' }[name],
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

async function setUp(): Promise<string> {
  await vendorSql.query(/*sql*/ `create table secrets
      (tenant text, id text primary key, note text, body json, changed_at timestamptz)`);
  await vendorSql.query(/*sql*/ `create index on secrets (tenant, changed_at, id)`);
  await vendorSql.query(/*sql*/ `insert into secrets select 'acme', '${canary}-key-' || n, '${canary}-note', '{"a": "${canary}-json"}', now() - interval '1 day'
      from generate_series(1, 35) n`);
  const from = await createLogin(vendorSql, source);
  const to = await createLogin(customerSql, destination);
  await system.api('POST', '/sources', {
    source: { name: 'source', vendor: 'postgres', postgres: connectionBlock(from, 'public') },
  });
  await system.api('POST', '/models', {
    model: {
      model_name: 'secrets',
      source_name: 'source',
      source_table: 'secrets',
      organization_column: 'tenant',
      columns,
    },
  });
  const made = await system.api<{ destination: { id: string } }>('POST', '/destinations', {
    destination: {
      name: 'destination',
      vendor: 'postgres',
      id_in_provider_system: 'acme',
      postgres: connectionBlock(to, 'landed'),
    },
  });
  return made.destination.id;
}

/** All rows of all our tables, as text. */
async function dumpMetadata(): Promise<string> {
  const { $client: pool } = system.metadata.db;
  const tables = await pool.query<{ name: string }>(
    /*sql*/ `select table_name as name from information_schema.tables where table_schema = 'public'`,
  );
  const texts: string[] = [];
  for (const { name } of tables.rows) {
    const table = escapeIdentifier(name);
    const { rows } = await pool.query<{ row: string }>(
      /*sql*/ `select ${table}::text as row from ${table}`,
    );
    texts.push(...rows.map(({ row }) => row));
  }
  return texts.join('\n');
}

test('no row value and no password is anywhere but at the two ends', async () => {
  const destinationId = await setUp();
  await transfer(system, destinationId);
  // Failures are where drivers quote rows: a value refused, a constraint of the customer's, a login refused.
  await change(vendorSql, String.raw`update secrets set body = '{"${canary}": "\u0000"}'`);
  await fail(destinationId);
  await change(vendorSql, `update secrets set body = '{}'`);
  await customerSql.query(
    /*sql*/ `alter table landed.secrets add check (note <> '${canary}-refused')`,
  );
  await change(vendorSql, `update secrets set note = '${canary}-refused'`);
  await fail(destinationId);
  await customerSql.query(
    /*sql*/ `alter role ${escapeIdentifier(`login_${destination.name}`)} password 'another'`,
  );
  await fail(destinationId);
  await system.api('POST', `/destinations/${destinationId}/test-connection`, {});

  const landed = await customerSql.query<{ id: string }>(/*sql*/ `select id from landed.secrets`);
  expect(landed.rows).toHaveLength(35);
  expect(landed.rows[0]?.id).toContain(canary);
  const histories = await exportHistories(system.client);
  expect(histories).toContain('copySlice');
  expect(histories).not.toContain(canary);
  expect(await dumpMetadata()).not.toContain(canary);
  expect(system.logged.join('\n')).toContain('step finished');
  expect(system.logged.join('\n')).not.toContain(canary);
  expect(system.answered.join('\n')).not.toContain(canary);
});

async function change(sql: pg.Client, statement: string): Promise<void> {
  await sql.query(/*sql*/ `${statement}, changed_at = now()`);
}

async function fail(destinationId: string): Promise<void> {
  const ended = await waitForEnd(system, await submit(system, destinationId));
  expect(ended.status).toBe('ERROR');
}
