import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSystem, type System } from '../harness/system.ts';
import { getTransfer, submit, transfer, waitFor, waitForEnd } from '../harness/transfers.ts';
import { createCustomer, createOrders, createVendor, fill, publish } from '../harness/vendor.ts';
import type { Vendor } from '../harness/vendor.ts';

// The statuses of a transfer that no other test of this folder reaches from a call to its end. EXPIRED and
// ORPHANED: reconcile; CANCELLED: control; SUCCESS: transfers.

let system: System;
let vendor: Vendor;

beforeAll(async () => {
  system = await createSystem();
  vendor = await createVendor(system);
});

afterAll(async () => {
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

test('PARTIAL_FAILURE where one model lands and another does not, then ERROR alone', async () => {
  const tenant = 'half';
  const { sourceName } = vendor;
  await createOrders(vendor.sql, 'refunds');
  await publish(system, { sourceName, modelName: 'refunds', table: 'refunds' });
  await fill(vendor.sql, tenant, { rows: 20 });
  await fill(vendor.sql, tenant, { rows: 20, table: 'refunds' });
  const destination = { enabled_models: [vendor.modelName, 'refunds'] };
  await using customer = await createCustomer(system, { vendor, tenant, destination });
  await transfer(system, customer.destinationId);
  await customer.sql.query(
    /*sql*/ `alter table vendor_data.refunds add check (total <> 777) not valid`,
  );
  for (const table of ['orders', 'refunds']) {
    await vendor.sql.query(
      /*sql*/ `update ${table} set total = 777, changed_at = now() where tenant = $1`,
      [tenant],
    );
  }
  const partial = await waitForEnd(system, await submit(system, customer.destinationId));
  expect(partial).toMatchObject({ status: 'PARTIAL_FAILURE', error: null });
  const byName = new Map(partial.model_metrics.map((model) => [model.model_name, model]));
  expect(byName.get(vendor.modelName)).toMatchObject({ status: 'SUCCESS', error: null });
  expect(byName.get('refunds')).toMatchObject({
    status: 'ERROR',
    error: { error_code: 'WBL-SCHM', blame: 'third_party', error: expect.any(String) },
  });
  const alone = await submit(system, customer.destinationId, { models: ['refunds'] });
  expect(await waitForEnd(system, alone)).toMatchObject({
    status: 'ERROR',
    error: { error_code: 'WBL-SCHM' },
  });
});

test('PENDING, then RUNNING; a third like the one that waits is CANCELLED as its duplicate', async () => {
  const tenant = 'waiting';
  await fill(vendor.sql, tenant, { rows: 10, from: 50_000 });
  await using customer = await createCustomer(system, { vendor, tenant });
  await transfer(system, customer.destinationId);
  await vendor.sql.query('begin');
  try {
    // Holds the first one up at its source.
    await vendor.sql.query('lock table orders in access exclusive mode');
    const running = await submit(system, customer.destinationId);
    await waitFor(system, running, { until: ({ status }) => status === 'RUNNING' });
    const waiting = await submit(system, customer.destinationId);
    expect(await getTransfer(system, waiting)).toMatchObject({
      status: 'PENDING',
      started_at: null,
      ended_at: null,
    });
    const third = await getTransfer(system, await submit(system, customer.destinationId));
    expect(third).toMatchObject({
      status: 'CANCELLED',
      error: null,
      log: expect.stringMatching(/duplicate/i),
    });
    await vendor.sql.query('commit');
    for (const id of [running, waiting]) {
      expect((await waitForEnd(system, id)).status).toBe('SUCCESS');
    }
  } finally {
    await vendor.sql.query('rollback');
  }
});
