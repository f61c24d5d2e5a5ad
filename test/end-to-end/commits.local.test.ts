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

let system: System;
let vendor: Vendor;

beforeAll(async () => {
  system = await createSystem({ lookbackSeconds: 0, limits: { batchRowsMax: 100 } });
  vendor = await createVendor(system);
});

afterAll(async () => {
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

async function expectEqual(customer: Customer): Promise<void> {
  expect(await rowsAtCustomer(customer)).toEqual(await rowsAtSource(vendor, customer.tenant));
}

test('rows of one last-modified value are all moved, over a batch border and over a run border', async () => {
  const stamp = '2026-03-01 10:00:00.123456+00';
  const tie = (from: number, to: number) =>
    vendor.sql.query(
      /*sql*/ `insert into orders (tenant, id, changed_at)
        select 'ties', n, $3 from generate_series($1::int, $2::int) n`,
      [from, to, stamp],
    );
  await tie(10_001, 10_250);
  await using customer = await createCustomer(system, { vendor, tenant: 'ties' });
  await transfer(system, customer.destinationId);
  await expectEqual(customer);
  // Keys below and above those that have landed.
  await tie(9_900, 9_950);
  await tie(10_300, 10_450);
  await transfer(system, customer.destinationId);
  await expectEqual(customer);
});

test('a first load that failed is finished by the next transfer, from its last batch', async () => {
  const rows = 1000;
  await fill(vendor.sql, 'broken', { rows, from: 20_000 });
  // JSON that the source takes and no destination does.
  const setBody = /*sql*/ `update orders set body = $1 where id = 20000 + 655`;
  await vendor.sql.query(setBody, [String.raw`{"a": "\u0000"}`]);
  await using customer = await createCustomer(system, { vendor, tenant: 'broken' });
  const failed = await waitForEnd(system, await submit(system, customer.destinationId));
  expect(failed.status).toBe('ERROR');
  expect(failed.error?.error_code).toBe('WBL-TYPE');
  expect(failed.rows_transferred).toBeGreaterThanOrEqual(500);
  await expect(rowsAtCustomer(customer)).rejects.toThrow('does not exist');

  await vendor.sql.query(setBody, ['{}']);
  const second = await transfer(system, customer.destinationId);
  expect(second.rows_transferred).toBeLessThanOrEqual(rows - failed.rows_transferred);
  expect(second.log).toContain('continued');
  await expectEqual(customer);
});

test('a model with a lookback of its own brings what was stamped that far back', async () => {
  await fill(vendor.sql, 'lagging', { rows: 10, from: 30_000, days: 0 });
  await using customer = await createCustomer(system, { vendor, tenant: 'lagging' });
  await transfer(system, customer.destinationId);
  // As an application does whose clock is late, or which writes when its batch began.
  await fill(vendor.sql, 'lagging', { rows: 1, from: 31_000, days: 0 });
  await vendor.sql.query(
    /*sql*/ `update orders set changed_at = now() - interval '30 minutes' where id = 31000`,
  );
  await transfer(system, customer.destinationId);
  expect(await rowsAtCustomer(customer)).toHaveLength(10);
  const path = `/models/${vendor.modelId}`;
  await system.api('PATCH', path, { model: { lookback_seconds: 3600 } });
  await transfer(system, customer.destinationId);
  await expectEqual(customer);
  await system.api('PATCH', path, { model: { lookback_seconds: null } });
});
