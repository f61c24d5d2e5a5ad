// Promise 7: readers never see a half state. A batch appears in one transaction, a first load appears whole,
// and a full refresh never shows an empty table or misses a row that stays, and keeps all that hangs on it.
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
import { createGate, gateTable } from './6-gates.ts';

const batchRows = 500;

let system: System;
let vendor: Vendor;

beforeAll(async () => {
  system = await createSystem({ limits: { batchRowsMax: batchRows } });
  vendor = await createVendor(system);
});

afterAll(async () => {
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

async function expectEqual(customer: Customer): Promise<void> {
  expect(await rowsAtCustomer(customer)).toEqual(await rowsAtSource(vendor, customer.tenant));
}

test('a first load of many batches is not there until all of it is', async () => {
  await fill(vendor.sql, 'first', { rows: 4000 });
  await using customer = await createCustomer(system, { vendor, tenant: 'first' });
  const name = `vendor_data.${vendor.modelName}`;
  const reader = await startReader(customer, {
    statement: /*sql*/ `select case when to_regclass('${name}') is null then null
      else (xpath('/row/count/text()',
        query_to_xml('select count(*) from ${name}', false, true, '')))[1]::text
      end as count`,
  });
  await transfer(system, customer.destinationId);
  const seen = (await reader.stop()).map(({ count }) => count);
  expect(new Set(seen)).toEqual(new Set([null, '4000']));
  await expectEqual(customer);
});

test('the rows of a batch that is written and not yet committed show to nobody, then at once', async () => {
  const from = 10_000;
  await fill(vendor.sql, 'batch', { rows: 2000, from });
  await using customer = await createCustomer(system, { vendor, tenant: 'batch' });
  await transfer(system, customer.destinationId);
  await using gate = await createGate(customer);
  await gateTable(customer.sql, customer.table, 'commit');
  await gate.close();
  await vendor.sql.query(
    /*sql*/ `update orders set note = 'new', changed_at = now() where tenant = 'batch'`,
  );
  const id = await submit(system, customer.destinationId);
  await gate.reached();
  const statement = `select count(*) filter (where remark = 'new')::int as changed, count(*)::int as all
    from ${customer.table}`;
  expect((await customer.sql.query(statement)).rows).toEqual([{ changed: 0, all: 2000 }]);
  const reader = await startReader(customer, { statement });
  await gate.open();
  expect((await waitForEnd(system, id)).status).toBe('SUCCESS');
  const seen = await reader.stop();
  const parts = seen.filter(({ changed, all }) => Number(changed) % batchRows > 0 || all !== 2000);
  expect(parts).toEqual([]);
  expect(seen.at(-1)).toEqual({ changed: 2000, all: 2000 });
  await expectEqual(customer);
});

test('a full refresh keeps what hangs on the table, and no reader ever misses a row that stays', async () => {
  await fill(vendor.sql, 'read', { rows: 4000, from: 20_000 });
  await using customer = await createCustomer(system, { vendor, tenant: 'read' });
  await transfer(system, customer.destinationId);
  const role = await grantToReader(customer);
  const before = await whatHangsOn(customer);
  await vendor.sql.query(/*sql*/ `delete from orders where tenant = 'read' and id % 4 = 0`);
  await vendor.sql.query(
    /*sql*/ `update orders set note = 'new' where tenant = 'read' and id % 4 = 1`,
  );

  const reader = await startReader(customer, {
    url: urlOf(customer, role),
    statement: /*sql*/ `select count(*)::int as "all",
      count(*) filter (where id % 4 <> 0)::int as staying from recent`,
  });
  await transfer(system, customer.destinationId, { full_refresh: true });
  const seen = await reader.stop();

  expect(seen.length).toBeGreaterThan(5);
  expect(seen.filter(({ staying }) => staying !== 3000)).toEqual([]);
  expect(seen.at(-1)).toEqual({ all: 3000, staying: 3000 });
  expect(await whatHangsOn(customer)).toEqual(before);
  await expectEqual(customer);
  await dropReader(customer, role);
});

/** Somebody of the customer's who reads the table through a view, and all else that may hang on it. */
async function grantToReader({ sql, table, database }: Customer): Promise<string> {
  const role = `reader_${database.name}`;
  await sql.query(/*sql*/ `create role ${role} login password 'reader'`);
  await sql.query(/*sql*/ `grant usage on schema vendor_data to ${role}`);
  await sql.query(/*sql*/ `grant select on ${table} to ${role}`);
  await sql.query(/*sql*/ `create view recent as select id, remark from ${table}`);
  await sql.query(/*sql*/ `grant select on recent to ${role}`);
  await sql.query(/*sql*/ `create index theirs on ${table} (remark, due_on);
    alter table ${table} replica identity full, set (fillfactor = 70), alter column remark set statistics 500;
    comment on table ${table} is 'theirs'; comment on column ${table}.remark is 'theirs too';
    create publication onwards for table ${table};
    create statistics (dependencies) on due_on, total from ${table};
    create policy all_of_it on ${table} using (true)`);
  return role;
}

/** The table itself, by its number, and everything that would go with it. */
async function whatHangsOn({ sql, table }: Customer): Promise<object> {
  const { rows } = await sql.query<object>(
    /*sql*/ `select c.oid, c.relacl::text, c.relreplident, c.reloptions, obj_description(c.oid) as comment,
      col_description(c.oid, (select attnum from pg_attribute where attrelid = c.oid and attname = 'remark')),
      (select array_agg(pg_get_indexdef(indexrelid) order by indexrelid) from pg_index where indrelid = c.oid)
        as indexes,
      (select array_agg(conname order by conname) from pg_constraint where conrelid = c.oid) as constraints,
      (select array_agg(stxname) from pg_statistic_ext where stxrelid = c.oid) as statistics,
      (select array_agg(polname) from pg_policy where polrelid = c.oid) as policies,
      (select array_agg(pubname) from pg_publication_tables
        where schemaname || '.' || tablename = $1) as publications
    from pg_class c where c.oid = $1::regclass`,
    [table],
  );
  return rows;
}

/** Roles belong to the server, which other tests use. */
async function dropReader({ sql }: Customer, role: string): Promise<void> {
  await sql.query(/*sql*/ `drop owned by ${role}`);
  await sql.query(/*sql*/ `drop role ${role}`);
}

/** Asks the same over and over, each time in a transaction of its own. */
async function startReader(
  { database }: Customer,
  { statement, url = database.url }: { statement: string; url?: string },
) {
  const session = await connect({ ...database, url });
  const ask = async () => (await session.query<Record<string, unknown>>(statement)).rows;
  const seen = await ask();
  let isOver = false;
  const reading = (async () => {
    while (!isOver) seen.push(...(await ask()));
  })();
  return {
    /** @returns all it has seen, and a last look. */
    async stop() {
      isOver = true;
      await reading;
      seen.push(...(await ask()));
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
