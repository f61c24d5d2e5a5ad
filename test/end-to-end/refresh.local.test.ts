import { afterAll, beforeAll, expect, test } from 'vitest';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { submit, transfer, waitForEnd } from '../harness/transfers.ts';
import type { Customer, Vendor } from '../harness/vendor.ts';
import {
  connect,
  createCustomer,
  createVendor,
  fill,
  rowsAtCustomer,
  rowsAtSource,
} from '../harness/vendor.ts';

let system: System;
let vendor: Vendor;

beforeAll(async () => {
  system = await createSystem({ limits: { batchRowsMax: 500 } });
  vendor = await createVendor(system);
});

afterAll(async () => {
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

test('a full refresh keeps grants and views, and no reader ever misses a row that stays', async () => {
  await fill(vendor.sql, 'read', { rows: 4000 });
  await using customer = await createCustomer(system, { vendor, tenant: 'read' });
  await transfer(system, customer.destinationId);
  const role = await grantToReader(customer);
  await vendor.sql.query(/*sql*/ `delete from orders where tenant = 'read' and id % 4 = 0`);
  await vendor.sql.query(
    /*sql*/ `update orders set note = 'new' where tenant = 'read' and id % 4 = 1`,
  );

  const reader = await startReader(customer, role);
  const id = await submit(system, customer.destinationId, { full_refresh: true });
  expect((await waitForEnd(system, id)).status).toBe('SUCCESS');
  const seen = await reader.stop();

  expect(seen.length).toBeGreaterThan(5);
  expect(seen.filter(({ staying }) => staying !== 3000)).toEqual([]);
  expect(seen.at(-1)).toEqual({ all: 3000, staying: 3000 });
  expect(await rowsAtCustomer(customer)).toEqual(await rowsAtSource(vendor, 'read'));
  await dropReader(customer, role);
});

/** Somebody of the customer's who may read the table, and does so through a view. */
async function grantToReader({ sql, table, database }: Customer): Promise<string> {
  const role = `reader_${database.name}`;
  await sql.query(/*sql*/ `create role ${role} login password 'reader'`);
  await sql.query(/*sql*/ `grant usage on schema vendor_data to ${role}`);
  await sql.query(/*sql*/ `grant select on ${table} to ${role}`);
  await sql.query(/*sql*/ `create view recent as select id, remark from ${table}`);
  await sql.query(/*sql*/ `grant select on recent to ${role}`);
  return role;
}

/** Roles belong to the server, which other tests use. */
async function dropReader({ sql }: Customer, role: string): Promise<void> {
  await sql.query(/*sql*/ `drop owned by ${role}`);
  await sql.query(/*sql*/ `drop role ${role}`);
}

/** Counts over and over what a reader sees: all rows, and those that the refresh must not take away. */
async function startReader(customer: Customer, role: string) {
  const session = await connect({ ...customer.database, url: urlOf(customer, role) });
  const seen: { all: number; staying: number }[] = [];
  let isOver = false;
  const reading = (async () => {
    while (!isOver) {
      const { rows } = await session.query<{
        all: number;
        staying: number;
      }>(/*sql*/ `select count(*)::int as "all",
          count(*) filter (where id % 4 <> 0)::int as staying from recent`);
      seen.push(...rows);
    }
  })();
  return {
    async stop() {
      isOver = true;
      await reading;
      await session.end();
      return seen;
    },
  };
}

function urlOf({ database }: Customer, role: string): string {
  const url = new URL(database.url);
  url.username = role;
  url.password = 'reader';
  return url.href;
}
