// Promise 6: a transfer survives everything but its operator. A connection that breaks or falls silent, in
// whatever state it is, is noticed within the limit for progress, and the transfer finishes without help.
import { afterAll, beforeAll, describe, test, type ExpectStatic } from 'vitest';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import type { TcpProxy } from '../harness/tcp-proxy.ts';
import { startTcpProxy } from '../harness/tcp-proxy.ts';
import { submit, transfer, waitForEnd } from '../harness/transfers.ts';
import type { Customer, Vendor } from '../harness/vendor.ts';
import {
  createCustomer,
  createVendor,
  fill,
  publish,
  rowsAtCustomer,
  rowsAtSource,
} from '../harness/vendor.ts';
import { patchSource } from './6-logins.ts';
import { failuresMet } from './6-failures-met.ts';
import { createGate, createGatedView, gateTable, lockIn, type Gate } from './6-gates.ts';

const rows = 100;
const batchRows = 20;
/** For what takes moments, on a machine that may be busy. */
const soon = { timeout: 40_000 };

/** Tests that run side by side share the machine, and each one's time runs from the first. */
const patient = { timeout: 180_000 };

let system: System;

beforeAll(async () => {
  system = await createSystem({ limits: { batchRowsMax: batchRows, progressMs: 2000 } });
});

afterAll(() => system[Symbol.asyncDispose]());

interface World extends AsyncDisposable {
  readonly vendor: Vendor;
  readonly customer: Customer;
  readonly proxy: TcpProxy;
  readonly gate: Gate;
  /** Where the rows land. */
  readonly table: string;
}

/**
 * A vendor and a customer, with a proxy in front of one of them and a gate in that one: a model whose source
 * is gated stops before its middle row.
 */
async function createWorld(side: 'source' | 'destination'): Promise<World> {
  const vendor = await createVendor(system);
  const tenant = vendor.modelName;
  await fill(vendor.sql, tenant, { rows });
  const proxy = await startTcpProxy(vendor.database);
  const modelName = `gated_${vendor.modelName}`;
  let table = 'orders';
  const sourceGate = side === 'source' ? await createGate(vendor) : undefined;
  if (sourceGate !== undefined) {
    table = 'gated';
    await createGatedView(vendor.sql, { name: table, from: rows / 2 });
  }
  await publish(system, { sourceName: vendor.sourceName, modelName, table });
  const destination = { enabled_models: [modelName] };
  const customer = await createCustomer(system, { vendor, tenant, destination });
  const gate = sourceGate ?? (await createGate(customer));
  const postgres = { port: proxy.port, connection_timeout_in_seconds: 1 };
  if (side === 'destination') {
    await system.api('PATCH', `/destinations/${customer.destinationId}`, {
      destination: { postgres },
    });
  } else await patchSource(system, vendor, postgres);
  return {
    ...{ vendor, customer, proxy, gate },
    table: `vendor_data.${modelName}`,
    async [Symbol.asyncDispose]() {
      for (const part of [gate, proxy, customer, vendor]) await part[Symbol.asyncDispose]();
    },
  };
}

const kindsMet = (id: string) => failuresMet(system, id).map(({ kind }) => kind);

const troubles = {
  'falls silent': (proxy: TcpProxy) => proxy.set({ stalled: true }),
  'is reset': (proxy: TcpProxy) => proxy.resetAll(),
};
const ways = Object.keys(troubles) as (keyof typeof troubles)[];

interface Blow {
  readonly way: keyof typeof troubles;
  readonly kind: string;
  /** Resolves when the transfer is where it is to be hit; lets it go on from there. */
  readonly reach: () => Promise<() => Promise<unknown>>;
  readonly body?: object;
}

/** Hits a transfer, waits until that has been noticed, and sees it end well. */
async function check(world: World, blow: Blow, { expect }: { expect: ExpectStatic }) {
  const { vendor, customer, proxy, table } = world;
  const id = await submit(system, customer.destinationId, blow.body);
  const letGo = await blow.reach();
  troubles[blow.way](proxy);
  await letGo();
  await expect.poll(() => kindsMet(id), soon).toContain(blow.kind);
  proxy.set({});
  const ended = await waitForEnd(system, id);
  expect(ended).toMatchObject({ status: 'SUCCESS' });
  expect(new Set(kindsMet(id))).toEqual(new Set([blow.kind]));
  expect(await rowsAtCustomer(customer, table)).toEqual(
    await rowsAtSource(vendor, customer.tenant),
  );
}

/** Changes every row, so that a merge has all of them to write. */
function changeAll({ vendor }: World): Promise<unknown> {
  return vendor.sql.query(/*sql*/ `update orders set note = 'new', changed_at = now()`);
}

const kinds = (way: keyof typeof troubles, side: string) =>
  way === 'is reset' ? `${side}_unreachable` : 'no_progress';

describe.concurrent.for(ways)('a connection to the source that %s', patient, (way) => {
  const kind = kinds(way, 'source');

  test('in the middle of the rows', async ({ expect }) => {
    await using world = await createWorld('source');
    const reach = await closeGate(world);
    await check(world, { way, kind, reach }, { expect });
  });

  test('while it waits for a lock', async ({ expect }) => {
    await using world = await createWorld('source');
    const reach = await lockIn(world.vendor, 'orders');
    // Planning meets the lock first: it gives up counting rows without a stamp, and logs in anew.
    await check(world, { way, kind: 'source_unreachable', reach }, { expect });
  });
});

describe.concurrent.for(ways)('a connection to the destination that %s', patient, (way) => {
  const kind = kinds(way, 'destination');

  test('while rows are merged', async ({ expect }) => {
    await using world = await createWorld('destination');
    await transfer(system, world.customer.destinationId);
    await changeAll(world);
    const reach = await lockIn(world.customer, world.table, 'share');
    await check(world, { way, kind, reach }, { expect });
  });

  test('while a batch is committed, which takes effect', async ({ expect }) => {
    await using world = await createWorld('destination');
    await transfer(system, world.customer.destinationId);
    await changeAll(world);
    await gateTable(world.customer.sql, world.table, 'commit');
    const reach = await closeGate(world);
    await check(world, { way, kind, reach }, { expect });
  });
});

const heardWays = ['is reset'] as const;

describe.concurrent.for(heardWays)('a connection to the destination that %s', patient, (way) => {
  const kind = kinds(way, 'destination');

  test('while a load is opened', async ({ expect }) => {
    await using world = await createWorld('destination');
    await transfer(system, world.customer.destinationId);
    await changeAll(world);
    // Planning reads it, opening writes it.
    const reach = await lockIn(world.customer, 'vendor_data._waybill_load', 'share');
    await check(world, { way, kind, reach }, { expect });
  });

  test('while a full refresh is published', async ({ expect }) => {
    await using world = await createWorld('destination');
    await transfer(system, world.customer.destinationId);
    await changeAll(world);
    await gateTable(world.customer.sql, world.table, 'statement');
    const reach = await closeGate(world);
    await check(world, { way, kind, reach, body: { full_refresh: true } }, { expect });
  });
});

/** @returns waits until somebody waits at the gate, and gives what opens it */
async function closeGate({ gate }: World): Promise<Blow['reach']> {
  await gate.close();
  return async () => {
    await gate.reached();
    return () => gate.open();
  };
}

describe.concurrent('a server that takes connections and says nothing', patient, () => {
  test.for(['source', 'destination'] as const)('at the %s', async (side, { expect }) => {
    await using world = await createWorld(side);
    const kind = `${side}_unreachable`;
    world.proxy.set({ stalled: true });
    const reach = async () => async () => undefined;
    await check(world, { way: 'falls silent', kind, reach }, { expect });
  });
});
