import { afterAll, beforeAll, expect, test } from 'vitest';
import { runIntegrityJob, waitForIntegrityJob, type IntegrityJob } from '../harness/integrity.ts';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { transfer, waitForEnd } from '../harness/transfers.ts';
import {
  createCustomer,
  createVendor,
  fill,
  rowsAtCustomer,
  rowsAtSource,
  type Customer,
  type Vendor,
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

/** A customer whose rows have landed: its ids count on from `from`. */
async function createShipped(tenant: string, from: number, rows: number): Promise<Customer> {
  await fill(vendor.sql, tenant, { rows, from });
  const customer = await createCustomer(system, { vendor, tenant });
  await transfer(system, customer.destinationId);
  return customer;
}

const check = (customer: Customer, body: object = {}) =>
  runIntegrityJob(system, customer.destinationId, body);
const waitForJob = (customer: Customer, id: string) =>
  waitForIntegrityJob(system, customer.destinationId, id);

function countsOf(job: IntegrityJob) {
  const [result] = job.data_integrity_results;
  const names = ['pending', 'stale', 'missing', 'incorrect', 'orphaned'] as const;
  return Object.fromEntries(names.map((name) => [name, result?.[`total_rows_${name}`]]));
}

const none = { pending: 0, stale: 0, missing: 0, incorrect: 0, orphaned: 0 };

interface Repair {
  readonly transfer_ids: readonly string[];
  readonly removal_job_id: string | null;
}

async function repair(customer: Customer, job: IntegrityJob, body: object): Promise<Repair> {
  const path = `/destinations/${customer.destinationId}/data-integrity/${job.id}/repair`;
  const started = await system.api<Repair>('POST', path, body);
  for (const id of started.transfer_ids) {
    expect((await waitForEnd(system, id)).status).toBe('SUCCESS');
  }
  return started;
}

test('equal ends are healthy, with every odd value, and nothing is moved to find that', async () => {
  await using customer = await createShipped('equal', 1, 6000);
  const job = await check(customer);
  expect(job).toMatchObject({
    status: 'SUCCESS',
    data_integrity_results: [
      { is_healthy: true, error_message: '', total_rows_compared: 0, mismatched_partitions: [] },
    ],
  });
  expect(countsOf(job)).toEqual(none);
});

test('each way to differ is found and told apart, repaired, and found healthy again', async () => {
  await using customer = await createShipped('differs', 100_001, 6000);
  const { sql, table } = customer;
  // Edited by hand, in a column that is neither the key nor the last-modified one.
  await sql.query(/*sql*/ `update ${table} set remark = 'by hand' where id in (100500, 104000)`);
  await sql.query(/*sql*/ `delete from ${table} where id between 102001 and 102003`);
  await vendor.sql.query(/*sql*/ `delete from orders where id = 103000`);
  await vendor.sql.query(/*sql*/ `update orders set tenant = 'other' where id = 103001`);
  await vendor.sql.query(
    /*sql*/ `update orders set note = 'later', changed_at = now() + interval '1 day' where id = 105000`,
  );
  await vendor.sql.query(/*sql*/ `insert into orders (tenant, id, changed_at)
      values ('differs', 199999, now() + interval '1 day')`);
  const job = await check(customer);
  expect(countsOf(job)).toEqual({ pending: 1, stale: 1, missing: 3, incorrect: 2, orphaned: 2 });
  expect(job.data_integrity_results[0]).toMatchObject({ is_healthy: false, sampling_rate: 1 });
  expect(job.log_message).toContain('3 missing');

  const { removal_job_id: removal } = await repair(customer, job, { remove_orphaned_rows: true });
  const removed = await waitForJob(customer, removal ?? '');
  expect(removed.data_integrity_results[0]).toMatchObject({ total_rows_removed: 2 });
  await transfer(system, customer.destinationId);
  expect(await rowsAtCustomer(customer)).toEqual(await rowsAtSource(vendor, 'differs'));
  expect(countsOf(await check(customer))).toEqual(none);
});

test('without being asked to, a repair removes nothing', async () => {
  await using customer = await createShipped('keeps', 200_001, 50);
  await vendor.sql.query(/*sql*/ `delete from orders where id = 200005`);
  const job = await check(customer);
  expect(await repair(customer, job, {})).toMatchObject({ removal_job_id: null });
  expect(countsOf(await check(customer))).toEqual({ ...none, orphaned: 1 });
});

test('only the window and the rows that are asked for are looked at', async () => {
  await using customer = await createShipped('window', 300_001, 100);
  await customer.sql.query(
    /*sql*/ `update ${customer.table} set remark = 'x' where id in (300001, 300100)`,
  );
  const recent = { start_integrity_window_at: new Date(Date.now() - 2 * 86_400_000).toISOString() };
  expect(countsOf(await check(customer, recent))).toEqual({ ...none, incorrect: 1 });
  const sample = { model_name: vendor.modelName, sample_primary_key_ids: ['300001'] };
  const job = await check(customer, { ...recent, models: [sample] });
  expect(countsOf(job)).toEqual({ ...none, incorrect: 2 });
  expect(job).toMatchObject({ model_sample_primary_ids: { [vendor.modelName]: ['300001'] } });
});

test('what has not landed yet, or is a copy of something else, is said in a sentence', async () => {
  await fill(vendor.sql, 'never', { rows: 3, from: 400_001 });
  await using customer = await createCustomer(system, { vendor, tenant: 'never' });
  const job = await check(customer);
  expect(job).toMatchObject({
    status: 'ERROR',
    data_integrity_results: [
      { is_healthy: false, error_message: expect.stringContaining('has landed there yet') },
    ],
  });
});

test('a job whose connections break goes on, and two repairs at once do what one does', async () => {
  await using customer = await createShipped('broken', 600_001, 3000);
  await customer.sql.query(/*sql*/ `update ${customer.table} set remark = 'x' where id % 1000 = 7`);
  await vendor.sql.query(/*sql*/ `delete from orders where id = 600500`);
  await vendor.sql.query('begin; lock table orders in access exclusive mode');
  const path = `/destinations/${customer.destinationId}/data-integrity`;
  const { job: started } = await system.api<{ job: IntegrityJob }>('POST', path, {});
  const endWaiting = async () => {
    const { rowCount } = await vendor.sql.query(/*sql*/ `select pg_terminate_backend(pid)
      from pg_locks where relation = 'orders'::regclass and not granted`);
    return rowCount;
  };
  await expect.poll(endWaiting, { timeout: 30_000 }).toBe(1);
  await vendor.sql.query('rollback');
  const job = await waitForJob(customer, started.id);
  expect(countsOf(job)).toEqual({ ...none, incorrect: 3, orphaned: 1 });

  const body = { remove_orphaned_rows: true };
  const both = await Promise.all([repair(customer, job, body), repair(customer, job, body)]);
  const removals = await Promise.all(
    both.map(({ removal_job_id: id }) => waitForJob(customer, id ?? '')),
  );
  expect(removals.map(({ status }) => status)).toEqual(['SUCCESS', 'SUCCESS']);
  expect(await rowsAtCustomer(customer)).toEqual(await rowsAtSource(vendor, 'broken'));
});

test('a job can be cancelled while it waits for the source, and only once', async () => {
  await using customer = await createShipped('cancelled', 500_001, 20);
  await vendor.sql.query('begin; lock table orders in access exclusive mode');
  try {
    const path = `/destinations/${customer.destinationId}/data-integrity`;
    const { job } = await system.api<{ job: IntegrityJob }>('POST', path, {});
    const read = async () =>
      (await system.api<{ job: IntegrityJob }>('GET', `${path}/${job.id}`)).job.status;
    await expect.poll(read, { timeout: 30_000 }).toBe('RUNNING');
    await system.api('POST', `${path}/${job.id}/cancel`);
    expect((await waitForJob(customer, job.id)).status).toBe('CANCELLED');
    const again = await system.ask({ method: 'POST', path: `${path}/${job.id}/cancel` });
    expect(again.status).toBe(409);
    const staging = { method: 'GET', path: `${path}/${job.id}`, environment: 'staging' } as const;
    expect((await system.ask(staging)).status).toBe(404);
  } finally {
    await vendor.sql.query('rollback');
  }
});
