import { afterAll, beforeAll, expect, test } from 'vitest';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { submit, waitForEnd } from '../harness/transfers.ts';
import type { Vendor } from '../harness/vendor.ts';
import { createCustomer, createVendor, fill } from '../harness/vendor.ts';

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

test('with two slots for the environment six transfers all end, and never three run at once', async () => {
  await system.api('PATCH', '/settings', { settings: { max_concurrent_transfers: 2 } });
  const customers = [];
  for (const tenant of ['a', 'b', 'c', 'd', 'e', 'f']) {
    await fill(vendor.sql, tenant, { rows: 50, from: tenant.charCodeAt(0) * 1000 });
    customers.push(await createCustomer(system, { vendor, tenant }));
  }
  const ids = await Promise.all(
    customers.map(({ destinationId }) => submit(system, destinationId)),
  );
  const ends = await Promise.all(ids.map((id) => waitForEnd(system, id)));
  expect(new Set(ends.map(({ status }) => status))).toEqual(new Set(['SUCCESS']));
  const edges = ends.flatMap(({ started_at: from, ended_at: to }) => [
    { at: Date.parse(from ?? ''), change: 1 },
    { at: Date.parse(to ?? ''), change: -1 },
  ]);
  // Ends before starts of the same millisecond.
  edges.sort((a, b) => a.at - b.at || a.change - b.change);
  let running = 0;
  for (const { change } of edges) {
    running += change;
    expect(running).toBeLessThanOrEqual(2);
  }
  for (const customer of customers) await customer[Symbol.asyncDispose]();
});
