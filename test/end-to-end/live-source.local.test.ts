import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSystem, type System } from '../harness/system.ts';
import { submit, transfer, waitForEnd } from '../harness/transfers.ts';
import {
  connect,
  createCustomer,
  createVendor,
  fill,
  rowsAtCustomer,
  rowsAtSource,
  type Vendor,
} from '../harness/vendor.ts';

let system: System;
let vendor: Vendor;

beforeAll(async () => {
  // Slices so short that each ends after a batch: many snapshots in one load.
  system = await createSystem({ limits: { batchRowsMax: 200, sliceMs: 1 } });
  vendor = await createVendor(system);
});

afterAll(async () => {
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

/** Changes rows of the tenant, over and over, until it is stopped: some old ones, some new ones. */
async function startWriter(tenant: string, firstId: number) {
  const sql = await connect(vendor.database);
  let isOver = false;
  let writes = 0;
  const writing = (async () => {
    while (!isOver) {
      writes += 1;
      await sql.query(
        /*sql*/ `update orders set note = $2, changed_at = clock_timestamp()
          where tenant = $1 and id in (select id from orders where tenant = $1 order by random() limit 20)`,
        [tenant, `write ${writes}`],
      );
      await sql.query(
        /*sql*/ `insert into orders (tenant, id, note, changed_at) values ($1, $2, 'new', clock_timestamp())`,
        [tenant, firstId + writes],
      );
    }
  })();
  return {
    async stop() {
      isOver = true;
      await writing;
      await sql.end();
      return writes;
    },
  };
}

test.each([
  ['a first load', false],
  ['a full refresh', true],
])('%s of a source that is written all the while misses no row', async (name, isRefresh) => {
  const [tenant, from] = [name, isRefresh ? 100_000 : 0];
  await fill(vendor.sql, tenant, { rows: 2000, from: from + 1 });
  await using customer = await createCustomer(system, { vendor, tenant });
  if (isRefresh) await transfer(system, customer.destinationId);
  const writer = await startWriter(tenant, from + 50_000);
  const id = await submit(system, customer.destinationId, { full_refresh: isRefresh });
  const ended = await waitForEnd(system, id);
  expect(await writer.stop()).toBeGreaterThan(10);
  expect(ended.status).toBe('SUCCESS');

  // Every row that was there before is there now, as it was then or later.
  const landed = new Set((await rowsAtCustomer(customer)).map((row) => row['id']));
  const old = Array.from({ length: 2000 }, (_, index) => String(from + 1 + index));
  expect(old.filter((one) => !landed.has(one))).toEqual([]);

  await transfer(system, customer.destinationId);
  expect(await rowsAtCustomer(customer)).toEqual(await rowsAtSource(vendor, tenant));
});
