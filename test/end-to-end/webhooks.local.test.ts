import { createHash, createVerify } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rotateSigningKey } from '../../db/signing-keys.ts';
import type { HttpReceiver, Received } from '../harness/http-receiver.ts';
import { createHttpReceiver } from '../harness/http-receiver.ts';
import { testSealer } from '../harness/metadata.ts';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { transfer } from '../harness/transfers.ts';
import type { Vendor } from '../harness/vendor.ts';
import { createCustomer, createVendor, fill } from '../harness/vendor.ts';

let system: System;
let vendor: Vendor;

beforeAll(async () => {
  system = await createSystem();
  vendor = await createVendor(system);
  await fill(vendor.sql, 'north', { rows: 20 });
});

afterAll(async () => {
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

interface Event {
  readonly id: string;
  readonly type: string;
  readonly data: Record<string, Record<string, unknown>>;
}

const eventOf = ({ body }: Received) => JSON.parse(body) as Event;

async function listen(
  to: HttpReceiver,
  events: readonly string[],
  more: object = {},
): Promise<string> {
  const webhook = {
    vendor: 'generic_post',
    name: 'w',
    url: to.url,
    events,
    api_key: 'canary-hook-key',
    ...more,
  };
  const { webhook: made } = await system.api<{ webhook: { id: string } }>('POST', '/webhooks', {
    webhook,
  });
  return made.id;
}

async function arrived(receiver: HttpReceiver, count: number): Promise<Event[]> {
  await expect
    .poll(() => receiver.received.length, { timeout: 30_000 })
    .toBeGreaterThanOrEqual(count);
  return receiver.received.map(eventOf);
}

interface Delivery {
  readonly id: string;
  readonly event_id: string;
  readonly status: string;
  readonly attempts: { status_code: number | null; error: string | null }[];
}

async function deliveriesOf(webhookId: string): Promise<Delivery[]> {
  const path = `/webhooks/${webhookId}/deliveries?order=asc&page_size=100`;
  return (await system.api<{ deliveries: Delivery[] }>('GET', path)).deliveries;
}

/** As the documentation tells a receiver to do it, with nothing of ours. */
function isSigned({ headers, body }: Received, publicKey: string): boolean {
  const timestamp = String(headers['x-prequel-webhook-timestamp']);
  const signature = Buffer.from(String(headers['x-prequel-webhook-signature']), 'hex');
  const digest = createHash('sha256').update(body).digest('hex');
  const verify = createVerify('RSA-SHA256').update(`${timestamp}.${body}`);
  return headers['x-prequel-webhook-digest'] === digest && verify.verify(publicKey, signature);
}

async function publicKey(): Promise<{
  public_key: string;
  previous_public_keys: { public_key: string }[];
}> {
  return await system.api('GET', '/public/signatures/webhook-public-key');
}

test('a transfer is told from its start to its end, in order, signed, with whose it was', async () => {
  await using receiver = await createHttpReceiver();
  const id = await listen(receiver, ['transfer.started', 'transfer.success', 'transfer.error']);
  await using customer = await createCustomer(system, { vendor, tenant: 'north' });
  const end = await transfer(system, customer.destinationId);
  const events = await arrived(receiver, 2);
  expect(events.map(({ type }) => type)).toEqual(['transfer.started', 'transfer.success']);
  expect(events[1]?.data).toMatchObject({
    transfer: {
      id: end.id,
      status: 'SUCCESS',
      rows_transferred: 20,
      log: expect.stringContaining('Ended: SUCCESS'),
    },
    destination: { id: customer.destinationId, vendor: 'postgres' },
    recipient: { id_in_provider_system: 'north' },
  });
  const { public_key: key } = await publicKey();
  for (const one of receiver.received) {
    expect(one.headers).toMatchObject({
      'content-type': 'application/json',
      'x-api-key': 'canary-hook-key',
    });
    expect(isSigned(one, key)).toBe(true);
    expect(isSigned({ ...one, body: `${one.body} ` }, key)).toBe(false);
  }
  await expect
    .poll(async () => (await deliveriesOf(id)).map(({ status }) => status))
    .toEqual(['SUCCESS', 'SUCCESS']);
});

test('writes are told with the object as the API shows it, and without a secret', async () => {
  await using receiver = await createHttpReceiver();
  await listen(receiver, [
    'recipient.created',
    'recipient.updated',
    'recipient.deleted',
    'destination.created',
  ]);
  await using customer = await createCustomer(system, { vendor, tenant: 'written' });
  const [first, second] = await arrived(receiver, 2);
  expect(new Set([first?.type, second?.type])).toEqual(
    new Set(['destination.created', 'recipient.created']),
  );
  const made = [first, second].find((event) => event?.type === 'destination.created');
  expect(made?.data['destination']).toMatchObject({ id: customer.destinationId });
  expect(JSON.stringify(receiver.received.map(({ body }) => body))).not.toContain('"password"');
});

test('what fails is tried again, later events of that object wait, and those of others go on', async () => {
  await using receiver = await createHttpReceiver({ Location: 'http://127.0.0.1:1/elsewhere' });
  receiver.statuses.push(302);
  const id = await listen(receiver, ['recipient.created', 'recipient.updated']);
  const recipient = { name: 'first', id_in_provider_system: `hook-${Date.now()}` };
  const { recipient: made } = await system.api<{ recipient: { id: string } }>(
    'POST',
    '/recipients',
    { recipient },
  );
  await arrived(receiver, 1);
  await system.api('PATCH', `/recipients/${made.id}`, { recipient: { name: 'second' } });
  const other = { name: 'other', id_in_provider_system: `other-${Date.now()}` };
  await system.api('POST', '/recipients', { recipient: other });
  const events = await arrived(receiver, 4);
  expect(events.map(({ type, data }) => `${type} ${String(data['recipient']?.['name'])}`)).toEqual([
    'recipient.created first',
    'recipient.created other',
    'recipient.created first',
    'recipient.updated second',
  ]);
  // The same event both times, by which a receiver tells a repeat.
  expect(events[2]?.id).toBe(events[0]?.id);
  await expect
    .poll(async () => (await deliveriesOf(id)).map(({ status }) => status), { timeout: 10_000 })
    .toEqual(['SUCCESS', 'SUCCESS', 'SUCCESS']);
  const [first] = await deliveriesOf(id);
  expect(first?.attempts.map(({ status_code: code }) => code)).toEqual([200, 302]);
});

test('an event can be sent once more, and a test event at any time', async () => {
  await using receiver = await createHttpReceiver();
  const id = await listen(receiver, ['product.created']);
  await system.api('POST', `/webhooks/${id}/test`);
  const [event] = await arrived(receiver, 1);
  expect(event).toMatchObject({ type: 'webhook.test', data: { webhook: { id } } });
  await expect.poll(async () => (await deliveriesOf(id))[0]?.status).toBe('SUCCESS');
  const [delivery] = await deliveriesOf(id);
  await system.api('POST', `/webhooks/${id}/deliveries/${delivery?.id}/redeliver`);
  const events = await arrived(receiver, 2);
  expect(events[1]?.id).toBe(event?.id);
});

test('a disabled or deleted webhook is told nothing more, not even what waited', async () => {
  await using receiver = await createHttpReceiver();
  receiver.statuses.push(500);
  const id = await listen(receiver, ['recipient.created']);
  const recipient = { name: 'late', id_in_provider_system: `late-${Date.now()}` };
  await system.api('POST', '/recipients', { recipient });
  await arrived(receiver, 1);
  await system.api('PATCH', `/webhooks/${id}`, { webhook: { is_enabled: false } });
  await expect
    .poll(async () => (await deliveriesOf(id))[0]?.status, { timeout: 20_000 })
    .toBe('CANCELLED');
  await system.api('POST', '/recipients', {
    recipient: { ...recipient, id_in_provider_system: `x-${Date.now()}` },
  });
  await system.api('DELETE', `/webhooks/${id}`);
  expect(receiver.received).toHaveLength(1);
});

test('after a rotation the new key signs, and the old one can still be read', async () => {
  await using receiver = await createHttpReceiver();
  const before = await publicKey();
  await rotateSigningKey(system.metadata.db, testSealer);
  const after = await publicKey();
  expect(after.public_key).not.toBe(before.public_key);
  expect(after.previous_public_keys.map((one) => one.public_key)).toContain(before.public_key);
  const id = await listen(receiver, ['product.created']);
  await system.api('POST', `/webhooks/${id}/test`);
  await arrived(receiver, 1);
  const [one] = receiver.received;
  expect(one && isSigned(one, after.public_key)).toBe(true);
  expect(one && isSigned(one, before.public_key)).toBe(false);
});

test('neither the key of an endpoint nor an answer of its stands in the API, the log or a history', async () => {
  const seen = [...system.logged, ...system.answered].join('\n');
  expect(seen).not.toContain('canary-hook-key');
  expect(seen).not.toContain('answer of a stranger');
  for await (const { workflowId } of system.client.workflow.list({
    query: `WorkflowType = 'deliverNotice'`,
  })) {
    const history = await system.client.workflow.getHandle(workflowId).fetchHistory();
    expect(JSON.stringify(history)).not.toContain('canary-hook-key');
  }
});
