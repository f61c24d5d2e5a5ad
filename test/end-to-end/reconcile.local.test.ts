import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { submitTransfer } from '../../db/submit-transfer.ts';
import { workflowIds } from '../../domain/temporal-names.ts';
import { tester } from '../harness/metadata.ts';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { getTransfer, submit, transfer, waitFor, waitForEnd } from '../harness/transfers.ts';
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
  system = await createSystem();
  vendor = await createVendor(system);
});

afterAll(async () => {
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

/** What the API does up to the moment in which it dies: the row is there, nobody was told. */
async function submitAndDie({ destinationId }: Customer): Promise<string> {
  const request = { environment: 'prod', destinationId, trigger: 'manual', actor: tester } as const;
  return (await submitTransfer(system.metadata.db, request)).transferId;
}

/** Makes a row look as if it had been in its status for so long. */
async function age(id: string, minutes: number): Promise<void> {
  const by = sql`make_interval(mins => ${minutes})`;
  await system.metadata.db.execute(/*sql*/ sql`update transfers
      set submitted_at = submitted_at - ${by}, started_at = started_at - ${by} where id = ${id}`);
}

async function reconcile(): Promise<void> {
  await system.client.workflow.execute('reconcile', {
    workflowId: workflowIds.reconcile,
    taskQueue: system.temporal.taskQueues.control,
  });
}

test('a transfer that was stored and never told of is started', async () => {
  await fill(vendor.sql, 'lost', { rows: 30 });
  await using customer = await createCustomer(system, { vendor, tenant: 'lost' });
  const id = await submitAndDie(customer);
  await reconcile();
  expect((await getTransfer(system, id)).status).toBe('PENDING');
  await age(id, 1);
  await reconcile();
  expect((await waitForEnd(system, id)).status).toBe('SUCCESS');
  expect(await rowsAtCustomer(customer)).toEqual(await rowsAtSource(vendor, 'lost'));
});

test('a transfer whose workflow was terminated is ORPHANED, and what waits behind it starts', async () => {
  await fill(vendor.sql, 'gone', { rows: 30, from: 1000 });
  await using customer = await createCustomer(system, { vendor, tenant: 'gone' });
  await transfer(system, customer.destinationId);
  await customer.sql.query(/*sql*/ `begin; lock table vendor_data._waybill_load`);
  const id = await submit(system, customer.destinationId);
  await waitFor(system, id, { until: ({ status }) => status === 'RUNNING' });
  const next = await submit(system, customer.destinationId, { full_refresh: true });
  await system.client.workflow.getHandle(workflowIds.transfer(id)).terminate('operator');
  await age(id, 1);
  await reconcile();
  const ended = await getTransfer(system, id);
  expect(ended.status).toBe('ORPHANED');
  expect(ended.error?.error_code).toBe('WBL-ORPH');
  await customer.sql.query(/*sql*/ `rollback`);
  expect((await waitForEnd(system, next)).status).toBe('SUCCESS');
});

test('a running transfer whose workflow is open is left alone', async () => {
  await fill(vendor.sql, 'slow', { rows: 30, from: 2000 });
  await using customer = await createCustomer(system, { vendor, tenant: 'slow' });
  await transfer(system, customer.destinationId);
  await customer.sql.query(/*sql*/ `begin; lock table vendor_data._waybill_load`);
  const id = await submit(system, customer.destinationId);
  await waitFor(system, id, { until: ({ status }) => status === 'RUNNING' });
  await age(id, 1);
  await reconcile();
  expect((await getTransfer(system, id)).status).toBe('RUNNING');
  // When it started ranks what it writes.
  await age(id, -1);
  await customer.sql.query(/*sql*/ `rollback`);
  expect((await waitForEnd(system, id)).status).toBe('SUCCESS');
});

test('a transfer that waited past the limit expires', async () => {
  await using customer = await createCustomer(system, { vendor, tenant: 'old' });
  const id = await submitAndDie(customer);
  await age(id, 25 * 60);
  await reconcile();
  expect(await getTransfer(system, id)).toMatchObject({ status: 'EXPIRED', started_at: null });
});
