import { isNotNull, sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sensitiveTraces } from '../../db/notice-schema.ts';
import { purge } from '../../db/reconcile.ts';
import { transfers } from '../../db/transfer-schema.ts';
import { createHttpReceiver } from '../harness/http-receiver.ts';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { submit, transfer, waitForEnd } from '../harness/transfers.ts';
import type { Vendor } from '../harness/vendor.ts';
import { connectionBlock, createCustomer, createVendor, fill } from '../harness/vendor.ts';

let system: System;
let vendor: Vendor;
const canary = 'canary-row-value-in-a-driver-text';

beforeAll(async () => {
  system = await createSystem();
  vendor = await createVendor(system);
});

afterAll(async () => {
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

/** A customer whose own constraint refuses a row, so that the server quotes it. */
async function failing(tenant: string) {
  await fill(vendor.sql, tenant, { rows: 5, from: tenant.length * 1_000_000 });
  const customer = await createCustomer(system, { vendor, tenant });
  await transfer(system, customer.destinationId);
  await customer.sql.query(
    /*sql*/ `alter table ${customer.table} add check (remark is distinct from '${canary}')`,
  );
  await vendor.sql.query(
    /*sql*/ `update orders set note = $2, changed_at = now() where tenant = $1 and id % 5 = 0`,
    [tenant, canary],
  );
  return customer;
}

test('without an endpoint nothing of what a driver said is kept', async () => {
  await using customer = await failing('nobody');
  await waitForEnd(system, await submit(system, customer.destinationId));
  expect(await system.metadata.db.select().from(sensitiveTraces)).toEqual([]);
});

test('an endpoint is told once for each transfer, all that the driver said, and nobody else is', async () => {
  await using receiver = await createHttpReceiver();
  await using other = await createHttpReceiver();
  const endpoint = { name: 'vault', url: receiver.url, api_key: 'canary-of-the-vault' };
  await system.api('POST', '/sensitive-trace-endpoints', { sensitive_trace_endpoint: endpoint });
  const webhook = { vendor: 'generic_post', url: other.url, events: ['transfer.error'] };
  await system.api('POST', '/webhooks', { webhook });
  await using customer = await failing('somebody');
  const ended = await waitForEnd(system, await submit(system, customer.destinationId));
  expect(ended.status).toBe('ERROR');
  await expect.poll(() => receiver.received.length, { timeout: 20_000 }).toBe(1);
  await expect.poll(() => other.received.length, { timeout: 20_000 }).toBe(1);
  const [told] = receiver.received;
  expect(told?.headers).toMatchObject({ 'x-api-key': 'canary-of-the-vault' });
  expect(told?.headers).toHaveProperty('x-prequel-webhook-signature');
  expect(JSON.parse(told?.body ?? '')).toMatchObject({
    type: 'sensitive_trace',
    transfer_id: ended.id,
    destination_id: customer.destinationId,
    traces: [
      {
        model_name: vendor.modelName,
        error_code: ended.error?.error_code,
        trace: expect.stringContaining(canary),
      },
    ],
  });
  const rows = await system.metadata.db.select().from(sensitiveTraces);
  const seen = [
    JSON.stringify(rows),
    other.received[0]?.body,
    ...system.logged,
    ...system.answered,
  ];
  expect(seen.join('\n')).not.toContain(canary);
  for await (const { workflowId } of system.client.workflow.list()) {
    const history = await system.client.workflow.getHandle(workflowId).fetchHistory();
    expect(JSON.stringify(history), workflowId).not.toContain(canary);
  }
});

test('a failed connection test is told to each endpoint once, and a model check never', async () => {
  await using receiver = await createHttpReceiver();
  const endpoint = { name: 'tests', url: receiver.url };
  const made = await system.api<{ sensitive_trace_endpoint: { id: string } }>(
    'POST',
    '/sensitive-trace-endpoints',
    { sensitive_trace_endpoint: endpoint },
  );
  await using customer = await createCustomer(system, { vendor, tenant: 'tested' });
  const path = `/destinations/${customer.destinationId}/test-connection`;
  const login = (username: string) => ({
    destination: { postgres: { password_auth: { username, password: 'wrong' } } },
  });
  await system.api('POST', path, { destination: {} });
  const tested = await system.api<{ error: { error_code: string } }>('POST', path, login(canary));
  expect(JSON.stringify(tested.error)).not.toContain(canary);
  const model = {
    model_name: 'tried',
    source_table: 'public.not_there',
    source_name: vendor.sourceName,
  };
  await system.api('POST', '/actions/validate-config', { model });
  await expect.poll(() => receiver.received.length, { timeout: 20_000 }).toBe(1);
  expect(JSON.parse(receiver.received[0]?.body ?? '')).toEqual({
    type: 'sensitive_trace',
    created_at: expect.any(String),
    transfer_id: '',
    destination_id: customer.destinationId,
    source_id: '',
    traces: [
      {
        model_name: '',
        error_code: tested.error.error_code,
        trace: expect.stringContaining(canary),
      },
    ],
  });
  // The next one comes second: nothing else was on its way.
  const source = {
    vendor: 'postgres',
    postgres: {
      ...connectionBlock(vendor.database, 'public'),
      ...login(`${canary}2`).destination.postgres,
    },
  };
  await system.api('POST', '/test-source', { source });
  await expect.poll(() => receiver.received.length, { timeout: 20_000 }).toBe(2);
  expect(receiver.received[1]?.body).toContain(`${canary}2`);
  await system.api('DELETE', `/sensitive-trace-endpoints/${made.sensitive_trace_endpoint.id}`);
  for await (const { workflowId } of system.client.workflow.list()) {
    const history = await system.client.workflow.getHandle(workflowId).fetchHistory();
    expect(JSON.stringify(history), workflowId).not.toContain(canary);
  }
});

test('a trace does not keep its transfer past its time', async () => {
  const { db } = system.metadata;
  const ofTransfers = isNotNull(sensitiveTraces.transferId);
  expect(await db.select().from(sensitiveTraces).where(ofTransfers)).not.toEqual([]);
  await db.update(transfers).set({ endedAt: sql`now() - interval '100 days'` });
  expect(await purge(db, { transferDays: 90, auditDays: 400 })).toBeGreaterThan(0);
  expect(await db.select().from(sensitiveTraces).where(ofTransfers)).toEqual([]);
});
