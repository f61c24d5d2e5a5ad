import { afterAll, beforeAll, expect, test } from 'vitest';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { submit, transfer, waitForEnd } from '../harness/transfers.ts';
import type { Customer, Vendor } from '../harness/vendor.ts';
import {
  createCustomer,
  createVendor,
  fill,
  rowsAtCustomer,
  rowsAtSource,
} from '../harness/vendor.ts';

// A model that is read day by day, between real servers.

let system: System;
let vendor: Vendor;

beforeAll(async () => {
  system = await createSystem({ limits: { batchRowsMax: 100 } });
  vendor = await createVendor(system);
  await change({ max_transfer_time_window_seconds: 86_400 });
});

afterAll(async () => {
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

async function change(model: object): Promise<void> {
  await system.api('PATCH', `/models/${vendor.modelId}`, { model });
}

async function expectEqual(customer: Customer): Promise<void> {
  expect(await rowsAtCustomer(customer)).toEqual(await rowsAtSource(vendor, customer.tenant));
}

const touch = (from: number, hours: number) =>
  vendor.sql.query(
    /*sql*/ `update orders set total = -1, changed_at = now() - make_interval(hours => $2::int)
      where id between $1 and $1 + 49`,
    [from, hours],
  );

test('a month of rows arrives in windows of a day, then what was changed since', async () => {
  await fill(vendor.sql, 'daily', { rows: 600, days: 30, from: 1000 });
  await using customer = await createCustomer(system, { vendor, tenant: 'daily' });
  const first = await transfer(system, customer.destinationId);
  expect(first.log).toContain('in windows of 86400 s at most');
  expect(first.rows_transferred).toBe(600);
  await expectEqual(customer);
  await touch(1100, 0);
  await transfer(system, customer.destinationId);
  await expectEqual(customer);
});

test('an increment that fails in a window is PARTIAL_FAILURE, and the next one goes on there', async () => {
  await fill(vendor.sql, 'torn', { rows: 10, days: 40, from: 5000 });
  await using customer = await createCustomer(system, { vendor, tenant: 'torn' });
  await transfer(system, customer.destinationId);
  await fill(vendor.sql, 'torn', { rows: 400, days: 4, from: 6000 });
  const setBody = /*sql*/ `update orders set body = $1 where id = 6350`;
  // JSON that the source takes and no destination does.
  await vendor.sql.query(setBody, [String.raw`{"a": "\u0000"}`]);
  const failed = await waitForEnd(system, await submit(system, customer.destinationId));
  expect(failed).toMatchObject({ status: 'PARTIAL_FAILURE', model_metrics: [{ status: 'ERROR' }] });
  expect(failed.delta_rows_transferred).toBeGreaterThanOrEqual(200);
  await vendor.sql.query(setBody, ['{}']);
  const second = await transfer(system, customer.destinationId);
  expect(second.rows_transferred).toBeLessThanOrEqual(410 - failed.delta_rows_transferred);
  await expectEqual(customer);
});

test('a query is told the bounds of each window', async () => {
  await fill(vendor.sql, 'asked', { rows: 100, days: 3, from: 8000 });
  const start = Math.floor(Date.now() / 1000) - 4 * 86_400;
  const columns = 'tenant, id, total, is_paid, due_on, body, changed_at';
  const upTo = '{{with .LastModifiedAtEpochUpperBound}}{{.}}{{end}}';
  const source_query = `select ${columns}, '{{.LastModifiedAtEpoch}} ${upTo}' as note
    from orders where tenant = '{{.IdInProviderSystem}}'`;
  await change({ source_query, min_start_time_epoch: start });
  await using customer = await createCustomer(system, { vendor, tenant: 'asked' });
  await transfer(system, customer.destinationId);
  const bounds = (await rowsAtCustomer(customer)).map(({ remark }) => String(remark).split(' '));
  expect(bounds).toHaveLength(100);
  const ended = bounds.filter(([, end]) => end !== '');
  expect(ended.length).toBeGreaterThan(60);
  for (const [after, end] of ended) {
    expect(Number(end) - Number(after)).toBe(86_400);
    expect((Number(after) - start) % 86_400).toBe(0);
  }
  await change({ source_query: null, min_start_time_epoch: null });
});

test('rows without a last-modified value are counted, until the model refuses them', async () => {
  await fill(vendor.sql, 'unstamped', { rows: 10, days: 1, from: 9000 });
  await vendor.sql.query(/*sql*/ `alter table orders alter changed_at drop not null`);
  await vendor.sql.query(/*sql*/ `update orders set changed_at = null where id in (9003, 9004)`);
  await using customer = await createCustomer(system, { vendor, tenant: 'unstamped' });
  const { log } = await transfer(system, customer.destinationId);
  expect(log).toContain('2 rows of this recipient without a value in changed_at left out.');
  expect(await rowsAtCustomer(customer)).toHaveLength(8);
  await change({ null_last_modified: 'refuse' });
  const refused = await waitForEnd(system, await submit(system, customer.destinationId));
  expect(refused).toMatchObject({ status: 'ERROR', error: { error_code: 'WBL-LMOD' } });
  await change({ null_last_modified: null });
});
