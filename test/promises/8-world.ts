import type { ExpectStatic } from 'vitest';
import type { System } from '../harness/system.ts';
import { submit, transfer, waitForEnd } from '../harness/transfers.ts';
import type { Customer, TextRow, Vendor } from '../harness/vendor.ts';
import { createCustomer, createVendor, fill, rowsAtSource } from '../harness/vendor.ts';

/** A customer whose orders have landed once. */
export interface World extends AsyncDisposable {
  readonly system: System;
  readonly vendor: Vendor;
  readonly customer: Customer;
}

export async function createWorld(system: System): Promise<World> {
  const vendor = await createVendor(system);
  await fill(vendor.sql, 'acme', { rows: 20, days: 0 });
  const customer = await createCustomer(system, { vendor, tenant: 'acme' });
  await transfer(system, customer.destinationId);
  return {
    ...{ system, vendor, customer },
    async [Symbol.asyncDispose]() {
      await customer[Symbol.asyncDispose]();
      await vendor[Symbol.asyncDispose]();
    },
  };
}

/** Runs statements of the customer's, in which LIVE stands for the table of the orders. */
export async function tamper({ customer }: World, statements: string): Promise<void> {
  await customer.sql.query(statements.replaceAll('LIVE', customer.table));
}

/** Everything that the customer has: relations, their columns, constraints and rows. */
export async function everythingAt({ customer }: World): Promise<object[]> {
  const { rows } = await customer.sql.query<object>(/*sql*/ `
    select c.relname, c.relkind, array_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
        order by a.attnum) as columns,
      (select array_agg(conname order by conname) from pg_constraint where conrelid = c.oid) as constraints,
      case when c.relkind in ('r', 'v') and c.relname !~ '^_'
        then query_to_xml('select * from ' || c.oid::regclass || ' t order by 1', true, false, '')::text
      end as content
    from pg_class c left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not attisdropped
    where c.relnamespace = to_regnamespace('vendor_data') and c.relkind in ('r', 'v', 'p', 'm')
    group by c.oid, c.relname, c.relkind order by c.relname`);
  return rows;
}

export interface Ending {
  readonly status: string;
  readonly code: string | undefined;
  readonly message: string;
}

/** A transfer, with every row changed before it. */
export async function transferChanges(
  { system, vendor, customer }: World,
  body: object = {},
): Promise<Ending> {
  await vendor.sql.query(
    /*sql*/ `update orders set note = 'at ' || clock_timestamp(), changed_at = now() where tenant = 'acme'`,
  );
  const id = await submit(system, customer.destinationId, body);
  const { status, error } = await waitForEnd(system, id, 20_000);
  return { status, code: error?.error_code, message: error?.message ?? '' };
}

/** What ought to stand at the customer's and what does, columns of theirs left out. */
export async function expectLanded(
  { vendor, customer }: World,
  { expect, table = customer.table }: { expect: ExpectStatic; table?: string },
): Promise<void> {
  const expected = await rowsAtSource(vendor, 'acme');
  const names = Object.keys(expected[0] ?? {});
  const list = names.map((name) => `t.${name}::text`).join(', ');
  const { rows } = await customer.sql.query<TextRow>(
    /*sql*/ `select ${list} from ${table} t order by t.id`,
  );
  expect(rows).toEqual(expected);
}
