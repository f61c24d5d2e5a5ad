import { afterAll, beforeAll, describe, test } from 'vitest';
import type { TestDatabase } from '../harness/database.ts';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { getTransfer, submit, transfer, waitFor, waitForEnd } from '../harness/transfers.ts';
import {
  createCustomer,
  createVendor,
  fill,
  publish,
  rowsAtCustomer,
  rowsAtSource,
} from '../harness/vendor.ts';

/** For what takes moments, on a machine that may be busy. */
const soon = { timeout: 20_000 };

let system: System;

beforeAll(async () => {
  system = await createSystem({ limits: { batchRowsMax: 50 } });
});

afterAll(() => system[Symbol.asyncDispose]());

/**
 * A vendor with a second model, whose every row takes five milliseconds to read, and a customer of that
 * one.
 */
async function createSlow(tenant: string, rows: number) {
  const vendor = await createVendor(system);
  await fill(vendor.sql, tenant, { rows });
  await vendor.sql.query(
    /*sql*/ `create view slow as select * from orders where pg_sleep(0.005) is not null`,
  );
  const modelName = `slow_${vendor.modelName}`;
  await publish(system, { sourceName: vendor.sourceName, modelName, table: 'slow' });
  const destination = { enabled_models: [modelName] };
  const customer = await createCustomer(system, { vendor, tenant, destination });
  return { vendor, customer, table: `vendor_data.${modelName}` };
}

/**
 * Statements that Waybill runs, or waits with, in a database. Asked elsewhere: a transaction sees old
 * news.
 */
async function busyIn({ name }: TestDatabase): Promise<string[]> {
  const { rows } = await system.metadata.db.$client.query<{ query: string }>(
    /*sql*/ `select query from pg_stat_activity
      where datname = $1 and application_name like 'waybill%' and state <> 'idle'`,
    [name],
  );
  return rows.map(({ query }) => query);
}

// A cancellation reaches a step with its next heartbeat, which takes some seconds: they wait side by side.
describe.concurrent('a transfer under way', () => {
  test('is cancelled together with its statement at the source', async ({ expect }) => {
    const rows = 20_000;
    const { vendor, customer } = await createSlow('cancel', rows);
    const id = await submit(system, customer.destinationId);
    await waitFor(system, id, { until: (now) => now.rows_transferred > 0 });
    expect(await busyIn(vendor.database)).not.toEqual([]);
    await cancel(id);
    const ended = await waitForEnd(system, id, 30_000);
    expect(ended.status).toBe('CANCELLED');
    expect(ended.model_metrics[0]?.status).toBe('CANCELLED');
    expect(ended.rows_transferred).toBeLessThan(rows);
    await expect.poll(() => busyIn(vendor.database), soon).toEqual([]);
    await expect.poll(() => busyIn(customer.database), soon).toEqual([]);
    await dispose(vendor, customer);
  });

  test('is cancelled together with a statement that waits for a lock', async ({ expect }) => {
    const vendor = await createVendor(system);
    await fill(vendor.sql, 'locked', { rows: 200 });
    const customer = await createCustomer(system, { vendor, tenant: 'locked' });
    await transfer(system, customer.destinationId);
    await vendor.sql.query(/*sql*/ `update orders set note = 'x', changed_at = now()`);
    await customer.sql.query(/*sql*/ `begin; lock table ${customer.table} in exclusive mode`);
    const id = await submit(system, customer.destinationId);
    await expect
      .poll(async () => (await busyIn(customer.database)).join(), { timeout: 10_000 })
      // The message that commits a batch, of which the server shows the beginning.
      .toMatch(/_waybill_load/);
    await cancel(id);
    expect((await waitForEnd(system, id, 30_000)).status).toBe('CANCELLED');
    await expect.poll(() => busyIn(customer.database), soon).toEqual([]);
    await customer.sql.query(/*sql*/ `rollback`);
    await transfer(system, customer.destinationId);
    expect(await rowsAtCustomer(customer)).toEqual(await rowsAtSource(vendor, 'locked'));
    await dispose(vendor, customer);
  });

  test('holds its place, and one that waits behind it can be cancelled', async ({ expect }) => {
    const { vendor, customer } = await createSlow('waits', 20_000);
    const running = await submit(system, customer.destinationId);
    await waitFor(system, running, { until: ({ status }) => status === 'RUNNING' });
    const waiting = await submit(system, customer.destinationId, { full_refresh: true });
    await cancel(waiting);
    expect(await getTransfer(system, waiting)).toMatchObject({
      status: 'CANCELLED',
      started_at: null,
    });
    await cancel(running);
    expect((await waitForEnd(system, running, 30_000)).status).toBe('CANCELLED');
    await dispose(vendor, customer);
  });

  test('is paused between two rows, and goes on after the last of them', async ({ expect }) => {
    const rows = 3000;
    const { vendor, customer, table } = await createSlow('pause', rows);
    const id = await submit(system, customer.destinationId);
    await waitFor(system, id, { until: (now) => now.rows_transferred > 0 });
    await system.api('POST', `/transfers/${id}/pause`);
    await expect.poll(() => busyIn(vendor.database), { timeout: 20_000 }).toEqual([]);
    const paused = await getTransfer(system, id);
    expect(paused).toMatchObject({ status: 'RUNNING', is_paused: true });
    expect(paused.rows_transferred).toBeLessThan(rows);
    await system.api('POST', `/transfers/${id}/resume`);
    const ended = await waitForEnd(system, id);
    expect(ended).toMatchObject({ status: 'SUCCESS', is_paused: false, rows_transferred: rows });
    expect(await rowsAtCustomer(customer, table)).toEqual(await rowsAtSource(vendor, 'pause'));
    await dispose(vendor, customer);
  });
});

function cancel(id: string): Promise<unknown> {
  return system.api('POST', `/transfers/${id}/cancel`);
}

async function dispose(...parts: readonly AsyncDisposable[]): Promise<void> {
  for (const part of parts) await part[Symbol.asyncDispose]();
}
