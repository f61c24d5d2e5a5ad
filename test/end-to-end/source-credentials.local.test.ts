import { afterAll, beforeAll, expect, test } from 'vitest';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { submit, transfer, waitForEnd } from '../harness/transfers.ts';
import type { Customer, Vendor } from '../harness/vendor.ts';
import { createCustomer, createVendor, fill } from '../harness/vendor.ts';

// A source whose policies show each login its own rows only.

let system: System;
let vendor: Vendor;
let sourceId: string;
const role = `tenant_${Math.random().toString(36).slice(2, 10)}`;
const password = 'canary of a tenant: it\'s "odd"';

beforeAll(async () => {
  system = await createSystem();
  vendor = await createVendor(system);
  await fill(vendor.sql, 'north', { rows: 100 });
  // More than the tenant column tells: this login sees even ids only.
  await vendor.sql.query(/*sql*/ `
    create role ${role} login password '${password.replaceAll("'", "''")}';
    grant select on orders to ${role};
    alter table orders enable row level security;
    create policy own on orders to ${role} using (tenant = 'north' and id % 2 = 0)`);
  const { sources } = await system.api<{ sources: { id: string }[] }>('GET', '/sources');
  sourceId = sources[0]?.id ?? '';
});

afterAll(async () => {
  await vendor.sql.query(/*sql*/ `drop owned by ${role}; drop role ${role}`);
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

async function recipientOf(customer: Customer): Promise<string> {
  const path = `/destinations/${customer.destinationId}`;
  const { destination } = await system.api<{ destination: { recipient_id: string } }>('GET', path);
  return destination.recipient_id;
}

async function countAt(customer: Customer): Promise<number> {
  const { rows } = await customer.sql.query<{ count: number }>(
    /*sql*/ `select count(*)::int from ${customer.table}`,
  );
  return rows[0]?.count ?? -1;
}

const path = '/recipient-source-credentials';

test("a recipient's rows are read with its own login, which sees what its policies show", async () => {
  await using customer = await createCustomer(system, { vendor, tenant: 'north' });
  const recipientId = await recipientOf(customer);
  const login = { recipient_id: recipientId, source_id: sourceId, username: role, password };
  const { recipient_source_credential: made } = await system.api<{
    recipient_source_credential: { id: string };
  }>('POST', path, { recipient_source_credential: login });
  await transfer(system, customer.destinationId);
  expect(await countAt(customer)).toBe(50);

  const again = await system.ask({
    method: 'POST',
    path,
    body: { recipient_source_credential: login },
  });
  expect(again.status).toBe(409);

  // A wrong password fails that recipient and says whose login it was.
  const wrong = { recipient_source_credential: { password: 'wrong' } };
  await system.api('PATCH', `${path}/${made.id}`, wrong);
  const failed = await waitForEnd(system, await submit(system, customer.destinationId));
  expect(failed.error).toMatchObject({ error_code: 'WBL-AUTH', blame: 'first_party' });

  await system.api('DELETE', `${path}/${made.id}`);
  await transfer(system, customer.destinationId, { full_refresh: true });
  expect(await countAt(customer)).toBe(100);
});

test('the password is shown nowhere, and another environment has no such login', async () => {
  const recipient = { name: 'r', id_in_provider_system: 'north-2' };
  const { recipient: made } = await system.api<{ recipient: { id: string } }>(
    'POST',
    '/recipients',
    { recipient },
  );
  const login = { recipient_id: made.id, source_id: sourceId, username: role, password };
  const { recipient_source_credential: one } = await system.api<{
    recipient_source_credential: { id: string };
  }>('POST', path, { recipient_source_credential: login });
  expect(await system.api('GET', `${path}?recipient_id=${made.id}`)).toMatchObject({
    recipient_source_credentials: [{ id: one.id, username: role, source_id: sourceId }],
  });
  const staging = { method: 'GET', path: `${path}/${one.id}`, environment: 'staging' } as const;
  expect((await system.ask(staging)).status).toBe(404);
  const unknown = { ...login, source_id: made.id };
  const refused = await system.ask({
    method: 'POST',
    path,
    body: { recipient_source_credential: unknown },
  });
  expect(refused).toMatchObject({
    status: 400,
    message: expect.stringContaining('There is no source'),
  });
  await system.api('GET', '/logs?page_size=100');
  expect([...system.answered, ...system.logged].join('\n')).not.toContain('canary of a tenant');
});
