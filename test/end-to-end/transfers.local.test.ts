import { afterAll, beforeAll, expect, test } from 'vitest';
import { workflowIds } from '../../domain/temporal-names.ts';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { submit, transfer, waitForEnd } from '../harness/transfers.ts';
import type { Customer, Vendor } from '../harness/vendor.ts';
import {
  createCustomer,
  createOrders,
  createVendor,
  fill,
  modelColumns,
  publish,
  rowsAtCustomer,
  rowsAtSource,
} from '../harness/vendor.ts';

let system: System;
let vendor: Vendor;

beforeAll(async () => {
  system = await createSystem({ limits: { batchRowsMax: 100 } });
  vendor = await createVendor(system);
});

afterAll(async () => {
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

async function expectEqual(customer: Customer): Promise<void> {
  expect(await rowsAtCustomer(customer)).toEqual(await rowsAtSource(vendor, customer.tenant));
}

test('each of two tenants receives its own rows, all of them, and no others', async () => {
  await fill(vendor.sql, 'north', { rows: 2345 });
  await fill(vendor.sql, 'south', { rows: 1234, from: 10_000 });
  await fill(vendor.sql, 'North', { rows: 100, from: 20_000 });
  await using north = await createCustomer(system, { vendor, tenant: 'north' });
  await using south = await createCustomer(system, { vendor, tenant: 'south' });
  const ends = await Promise.all([north, south].map((one) => transfer(system, one.destinationId)));
  expect(ends.map((end) => end.rows_transferred)).toEqual([2345, 1234]);
  await expectEqual(north);
  await expectEqual(south);
});

test('the second transfer moves what changed, and a full refresh takes away what was deleted', async () => {
  await fill(vendor.sql, 'east', { rows: 500, from: 100_000 });
  await using east = await createCustomer(system, { vendor, tenant: 'east' });
  await transfer(system, east.destinationId);
  await vendor.sql.query(
    /*sql*/ `update orders set note = 'changed', changed_at = now() where tenant = 'east' and id % 10 = 0`,
  );
  await fill(vendor.sql, 'east', { rows: 7, from: 101_000, days: 0 });
  const second = await transfer(system, east.destinationId);
  expect(second.rows_transferred).toBeLessThan(70);
  expect(second.rows_transferred).toBeGreaterThanOrEqual(57);
  await expectEqual(east);

  await vendor.sql.query(/*sql*/ `delete from orders where tenant = 'east' and id % 7 = 0`);
  await transfer(system, east.destinationId);
  expect((await rowsAtCustomer(east)).length).toBe(507);
  const refresh = await transfer(system, east.destinationId, { full_refresh: true });
  expect(refresh.is_full_refresh).toBe(true);
  await expectEqual(east);
});

test('an explicit window moves its rows and leaves the next run where it was', async () => {
  await fill(vendor.sql, 'window', { rows: 300, from: 200_000, days: 30 });
  await using customer = await createCustomer(system, { vendor, tenant: 'window' });
  await transfer(system, customer.destinationId);
  // Stamps restored from a backup: below the watermark, so that only a window finds them.
  await vendor.sql.query(
    /*sql*/ `update orders set note = 'restored' where tenant = 'window' and id in (200000, 200100, 200299)`,
  );
  const day = (ago: number) => new Date(Date.now() - ago * 86_400_000).toISOString();
  const window = { start_transfer_window_at: day(28), end_transfer_window_at: day(10) };
  const windowed = await transfer(system, customer.destinationId, window);
  expect(windowed.rows_transferred).toBeGreaterThan(100);
  expect(windowed.rows_transferred).toBeLessThan(200);
  const restored = (await rowsAtCustomer(customer)).filter((row) => row['remark'] === 'restored');
  expect(restored.map((row) => row['id'])).toEqual(['200100']);
  expect((await transfer(system, customer.destinationId)).rows_transferred).toBeLessThan(10);
});

test('only the models that were asked for are moved', async () => {
  const { sourceName } = vendor;
  await createOrders(vendor.sql, 'returns');
  await fill(vendor.sql, 'choosy', { rows: 30, table: 'returns' });
  await fill(vendor.sql, 'choosy', { rows: 20, from: 300_000 });
  await publish(system, { sourceName, modelName: 'returns', table: 'returns' });
  const destination = { enabled_models: [vendor.modelName, 'returns'] };
  await using customer = await createCustomer(system, { vendor, tenant: 'choosy', destination });
  const first = await transfer(system, customer.destinationId, { models: ['returns'] });
  expect(first.models).toEqual(['returns']);
  expect(await tablesAt(customer)).toEqual(['returns']);
  const both = await transfer(system, customer.destinationId);
  expect(both.model_metrics.map(({ model_name: name }) => name).sort()).toEqual(
    [vendor.modelName, 'returns'].sort(),
  );
  await expectEqual(customer);
  expect(await rowsAtCustomer(customer, 'vendor_data.returns')).toEqual(
    await rowsAtSource(vendor, 'choosy', 'returns'),
  );
});

test('one Idempotency-Key gives one transfer, however often and however fast it is sent', async () => {
  await fill(vendor.sql, 'again', { rows: 40, from: 400_000 });
  await using customer = await createCustomer(system, { vendor, tenant: 'again' });
  const request = {
    method: 'POST',
    path: `/destinations/${customer.destinationId}/transfer`,
    body: {},
    headers: { 'Idempotency-Key': 'once' },
  };
  const answers = await Promise.all(
    Array.from({ length: 4 }, () => system.ask<{ transfer_id: string }>(request)),
  );
  const ids = new Set(answers.map(({ data }) => data.transfer_id));
  expect([...ids]).toHaveLength(1);
  const [id = ''] = ids;
  expect((await waitForEnd(system, id)).rows_transferred).toBe(40);
  const later = await system.ask<{ transfer_id: string }>(request);
  expect(later.data.transfer_id).toBe(id);
  const { transfers } = await system.api<{ transfers: unknown[] }>(
    'GET',
    `/transfers?destination_id=${customer.destinationId}`,
  );
  expect(transfers).toHaveLength(1);
  await expectEqual(customer);
});

test('a model changed after the submission does not reach that transfer', async () => {
  await fill(vendor.sql, 'frozen', { rows: 20, from: 500_000 });
  await using customer = await createCustomer(system, { vendor, tenant: 'frozen' });
  await transfer(system, customer.destinationId);
  // Nothing can be planned while the customer holds what the destination remembers.
  await customer.sql.query(/*sql*/ `begin; lock table vendor_data._waybill_load`);
  const id = await submit(system, customer.destinationId, { full_refresh: true });
  await vendor.sql.query(/*sql*/ `alter table orders add column extra text`);
  const extra = { name_in_source: 'extra', name_in_destination: 'extra', data_type: 'string' };
  const model = { columns: [...modelColumns(), extra] };
  await system.api('PATCH', `/models/${vendor.modelId}`, { model });
  await customer.sql.query(/*sql*/ `rollback`);
  expect((await waitForEnd(system, id)).status).toBe('SUCCESS');
  expect(await columnsAt(customer)).not.toContain('extra');
  await transfer(system, customer.destinationId);
  expect(await columnsAt(customer)).toContain('extra');
});

async function tablesAt(customer: Customer): Promise<string[]> {
  const { rows } = await customer.sql.query<{ name: string }>(
    /*sql*/ `select tablename as name from pg_tables where schemaname = 'vendor_data' and tablename !~ '^_'`,
  );
  return rows.map(({ name }) => name);
}

async function columnsAt(customer: Customer): Promise<string[]> {
  const { rows } = await customer.sql.query<{ name: string }>(
    /*sql*/ `select attname as name from pg_attribute where attrelid = $1::regclass and attnum > 0`,
    [customer.table],
  );
  return rows.map(({ name }) => name);
}

test('the id of the request leads from the API to the run: transfer log, worker log and memo', async () => {
  await fill(vendor.sql, 'traced', { rows: 5, from: 900_000 });
  await using traced = await createCustomer(system, { vendor, tenant: 'traced' });
  const end = await transfer(system, traced.destinationId);
  const [, requestId = ''] = /Request ([0-9a-f-]{36})\./.exec(end.log) ?? [];
  expect(requestId).not.toBe('');
  const lines = system.logged.filter((line) => line.includes(requestId));
  expect(lines.some((line) => line.includes('"request"'))).toBe(true);
  expect(lines.some((line) => line.includes(end.id) && line.includes('may start'))).toBe(true);
  const run = await system.client.workflow.getHandle(workflowIds.transfer(end.id)).describe();
  expect(run.memo).toEqual({ requestId });
});
