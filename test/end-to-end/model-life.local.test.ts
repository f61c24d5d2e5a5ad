import { afterAll, beforeAll, expect, test } from 'vitest';
import { runIntegrityJob } from '../harness/integrity.ts';
import { createSystem, type System } from '../harness/system.ts';
import { transfer, waitForEnd } from '../harness/transfers.ts';
import {
  createCustomer,
  createVendor,
  fill,
  modelColumns,
  type Customer,
  type Vendor,
} from '../harness/vendor.ts';

// The life of one model, through the API alone: what its customer sees after each thing that happens to it.

let system: System;
let vendor: Vendor;
let customer: Customer;

beforeAll(async () => {
  system = await createSystem();
  vendor = await createVendor(system);
  await fill(vendor.sql, 'acme', { rows: 6 });
  await fill(vendor.sql, 'globex', { rows: 3, from: 100 });
  customer = await createCustomer(system, {
    vendor,
    tenant: 'acme',
    destination: { enabled_models: ['*'] },
  });
});

afterAll(async () => {
  await customer[Symbol.asyncDispose]();
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

const column = (name: string, data_type: string, more: object = {}) => ({
  name_in_source: name,
  name_in_destination: name,
  data_type,
  ...more,
});
let columns = modelColumns() as { name_in_source: string; name_in_destination: string }[];

/** Publishes the model with these changes. @returns the codes that refuse it */
async function publish(changes: object): Promise<string[]> {
  const path = `/models/${vendor.modelId}`;
  const answer = await system.ask<unknown>({ method: 'PATCH', path, body: { model: changes } });
  const { errors = [] } = JSON.parse(system.answered.at(-1) ?? '') as {
    errors?: { code: string }[];
  };
  if (answer.status !== 200) expect(answer.status).toBe(400);
  return errors.map(({ code }) => code);
}

/** What the customer has, by id, after a transfer. */
async function land(list: string): Promise<Record<string, unknown>[]> {
  await transfer(system, customer.destinationId);
  const { rows } = await customer.sql.query<Record<string, unknown>>(
    /*sql*/ `select id::int, ${list} from ${customer.table} order by id`,
  );
  return rows;
}

const idsOf = (rows: readonly Record<string, unknown>[]) => rows.map(({ id }) => id);

test('published and transferred, the tenant has its rows', async () => {
  expect(idsOf(await land('remark'))).toEqual([1, 2, 3, 4, 5, 6]);
});

test('a column that is added is filled from then on', async () => {
  await vendor.sql.query(`alter table orders add tax numeric`);
  await vendor.sql.query(`update orders set tax = id, changed_at = now() where id = 2`);
  columns = [...columns, column('tax', 'decimal')];
  expect(await publish({ columns })).toEqual([]);
  const rows = await land('tax::int');
  expect(rows.map(({ tax }) => tax)).toEqual([null, 2, null, null, null, null]);
});

test('or in the old rows too, where the model asks for it', async () => {
  await vendor.sql.query(`alter table orders add rate int default 19`);
  columns = [...columns, column('rate', 'integer')];
  expect(await publish({ columns, backfill_new_columns: true })).toEqual([]);
  await transfer(system, customer.destinationId);
  const empty = async () => {
    const { rows } = await customer.sql.query<{ empty: number }>(
      /*sql*/ `select count(*) filter (where rate is null)::int as empty from ${customer.table}`,
    );
    return rows[0]?.empty;
  };
  await expect.poll(empty, { timeout: 60_000 }).toBe(0);
});

test('a column that is dropped keeps its values, and new rows have none', async () => {
  await vendor.sql.query(`update orders set tax = 70, total = 7, changed_at = now() where id = 3`);
  columns = columns.filter(({ name_in_source: name }) => name !== 'tax');
  expect(await publish({ columns })).toEqual([]);
  await fill(vendor.sql, 'acme', { rows: 1, from: 7, days: 0 });
  const rows = await land('tax::int, total::int');
  expect(rows.map(({ tax }) => tax)).toEqual([null, 2, null, null, null, null, null]);
  expect(rows[2]).toMatchObject({ total: 7 });
});

test('every change that adding cannot make is refused, and nothing of it is kept', async () => {
  const before = await system.api('GET', `/models/${vendor.modelId}`);
  const changed = (name: string, changes: object) => ({
    columns: columns.map((one) => (one.name_in_source === name ? { ...one, ...changes } : one)),
  });
  expect(await publish(changed('total', { data_type: 'string' }))).toEqual(['M23_type_changed']);
  expect(await publish({ columns: [...columns, column('tax', 'decimal')] })).toEqual([
    'M24_dropped_column',
  ]);
  expect(await publish(changed('due_on', { is_primary_key: true }))).toEqual(['M25_key_changed']);
  expect(await publish(changed('changed_at', { name_in_destination: 'touched_at' }))).toEqual([
    'M25_last_modified_changed',
  ]);
  expect(await publish({ model_name: 'another_name' })).toEqual(['fixed']);
  const source = {
    name: 'other source',
    vendor: 'postgres',
    postgres: {
      host: 'db.test',
      port: 5432,
      database: 'app',
      schema: 'public',
      auth_method: 'password_auth',
      password_auth: { username: 'a', password: 'b' },
    },
  };
  await system.api('POST', '/sources', { source });
  expect(await publish({ source_name: 'other source' })).toEqual(['M25_source_changed']);
  expect(await system.api('GET', `/models/${vendor.modelId}`)).toEqual(before);
  expect(idsOf(await land('total'))).toHaveLength(7);
});

test('a rename is a column that goes and one that comes', async () => {
  columns = columns.map((one) =>
    one.name_in_source === 'note' ? { ...one, name_in_destination: 'comment_text' } : one,
  );
  expect(await publish({ columns })).toEqual([]);
  await vendor.sql.query(`update orders set note = 'new', changed_at = now() where id = 1`);
  const rows = await land('remark, comment_text');
  const [first, , , untouched] = rows;
  expect(first).toMatchObject({ comment_text: 'new' });
  expect(first?.['remark']).not.toBe('new');
  expect(untouched).toMatchObject({ id: 4, comment_text: null });
  const back = columns.map((one) =>
    one.name_in_source === 'note' ? { ...one, name_in_destination: 'remark' } : one,
  );
  expect(await publish({ columns: back })).toEqual(['M24_dropped_column']);
});

test('a model that is taken from the customer stays as it is, and goes on when it is given back', async () => {
  const give = (models: string[]) =>
    system.api('PUT', '/products/default', { product: { models } });
  await give([]);
  const none = await system.ask({
    method: 'POST',
    path: `/destinations/${customer.destinationId}/transfer`,
    body: {},
  });
  await fill(vendor.sql, 'acme', { rows: 1, from: 8, days: 0 });
  expect(none.status, none.message).toBeLessThan(500);
  const { rows } = await customer.sql.query(`select from ${customer.table}`);
  expect(rows).toHaveLength(7);
  await give([vendor.modelName]);
  expect(idsOf(await land('total'))).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test('a row that moves to another tenant arrives there, and leaves with the next full refresh', async () => {
  await using other = await createCustomer(system, { vendor, tenant: 'globex' });
  await vendor.sql.query(`update orders set tenant = 'globex', changed_at = now() where id = 5`);
  await transfer(system, other.destinationId);
  const arrived = await other.sql.query(`select id::int from ${other.table} order by id`);
  expect(idsOf(arrived.rows)).toEqual([5, 100, 101, 102]);
  expect(idsOf(await land('total'))).toContain(5);
  await transfer(system, customer.destinationId, { full_refresh: true });
  expect(idsOf(await land('total'))).toEqual([1, 2, 3, 4, 6, 7, 8]);
});

test('a row that the customer edited by hand is found by an integrity job, and repaired', async () => {
  await customer.sql.query(/*sql*/ `update ${customer.table} set total = -5 where id = 4`);
  const { destinationId } = customer;
  const job = await runIntegrityJob(system, destinationId);
  expect(job.data_integrity_results).toMatchObject([
    { is_healthy: false, total_rows_incorrect: 1, total_rows_missing: 0, total_rows_orphaned: 0 },
  ]);
  const path = `/destinations/${destinationId}/data-integrity/${job.id}/repair`;
  const repair = await system.api<{ transfer_ids: string[] }>('POST', path, {});
  for (const id of repair.transfer_ids) await waitForEnd(system, id);
  const again = await runIntegrityJob(system, destinationId);
  expect(again.data_integrity_results).toMatchObject([{ is_healthy: true }]);
  const { rows } = await customer.sql.query(
    /*sql*/ `select total::int from ${customer.table} where id = 4`,
  );
  expect(rows).toEqual([{ total: 4 }]);
});

test('the tenant of a recipient is fixed while it has a destination', async () => {
  const path = `/destinations/${customer.destinationId}`;
  const { destination } = await system.api<{ destination: { recipient_id: string } }>('GET', path);
  const answer = await system.ask({
    method: 'PATCH',
    path: `/recipients/${destination.recipient_id}`,
    body: { recipient: { id_in_provider_system: 'globex' } },
  });
  expect(answer).toMatchObject({ status: 409, message: expect.stringContaining('is fixed while') });
});
