// Promise 6: a transfer survives everything but its operator. Whatever right its logins lack, the answer
// names it and what to run, nothing is half written, and the next transfer after the grant succeeds.
import { afterAll, beforeAll, describe, test, type ExpectStatic } from 'vitest';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { submit, transfer, waitForEnd } from '../harness/transfers.ts';
import type { Customer, Vendor } from '../harness/vendor.ts';
import { connect, createCustomer, fill, rowsAtCustomer, rowsAtSource } from '../harness/vendor.ts';
import { createLogin, createReadVendor, writeAs, type Login } from './6-logins.ts';

/** Tests that run side by side share the machine, and each one's time runs from the first. */
const patient = { timeout: 180_000 };

let system: System;
let vendor: Vendor & { login: Login };

beforeAll(async () => {
  system = await createSystem({ limits: { batchRowsMax: 20 } });
  vendor = await createReadVendor(system);
});

afterAll(async () => {
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

const rows = 50;
let ids = 1;

interface World extends AsyncDisposable {
  /** The vendor's session for this customer: others run beside it. */
  readonly sql: Vendor['sql'];
  readonly customer: Customer;
  readonly login: Login;
}

/** A customer with rows to come, whose destination has a login of its own. */
async function createWorld(): Promise<World> {
  const from = ids;
  ids += rows;
  const tenant = `tenant ${from}`;
  const sql = await connect(vendor.database);
  await fill(sql, tenant, { rows, from, days: 0 });
  const customer = await createCustomer(system, { vendor, tenant });
  const login = await createLogin(customer);
  await writeAs(system, customer, login);
  return {
    sql,
    customer,
    login,
    async [Symbol.asyncDispose]() {
      await sql.end();
      await login[Symbol.asyncDispose]();
      await customer[Symbol.asyncDispose]();
    },
  };
}

interface Refusal {
  /** What to run, with DB, SCHEMA, TABLE and LOGIN standing for the names of the test. */
  readonly take: string;
  readonly give: string;
  readonly says: RegExp;
  readonly isRefresh?: boolean;
}

/** Takes a right away, sees the refusal and that nothing moved, gives it back and sees it all arrive. */
async function check(
  { sql, customer }: World,
  { take, give, says, isRefresh = false }: Refusal,
  { run, expect }: { run: (statement: string) => Promise<unknown>; expect: ExpectStatic },
): Promise<void> {
  const landed = () => rowsAtCustomer(customer).catch(() => undefined);
  const before = await landed();
  await run(take);
  const body = { full_refresh: isRefresh };
  const refused = await waitForEnd(system, await submit(system, customer.destinationId, body));
  expect.soft(refused.status).toBe('ERROR');
  expect.soft(refused.error?.message).toMatch(says);
  expect.soft(refused.error?.error_code).toBe('WBL-PERM');
  expect(await landed()).toEqual(before);
  await run(give);
  await transfer(system, customer.destinationId, body);
  expect(await rowsAtCustomer(customer)).toEqual(await rowsAtSource({ sql }, customer.tenant));
  const { rows: hidden } = await customer.sql.query(
    /*sql*/ `select from pg_class where relname like '\\_waybill\\_copy%'`,
  );
  expect(hidden).toEqual([]);
}

function runAt({ customer, login }: World) {
  const { database, table, sql } = customer;
  return (statement: string) =>
    sql.query(
      statement
        .replaceAll('DB', database.name)
        .replaceAll('SCHEMA', 'vendor_data')
        .replaceAll('TABLE', table)
        .replaceAll('LOGIN', login.name),
    );
}

const schemaOf = (rights: string) =>
  `create schema SCHEMA; ${rights === '' ? '' : `grant ${rights} on schema SCHEMA to LOGIN`}`;

describe.concurrent('a destination that has nothing yet', patient, () => {
  test.for<[string, Refusal]>([
    [
      'CONNECT on the database',
      {
        take: 'revoke connect on database DB from public',
        give: 'grant connect on database DB to LOGIN',
        says: /Run: grant connect.* on database "test_/,
      },
    ],
    [
      'CREATE on the database',
      {
        take: 'revoke create on database DB from LOGIN',
        give: 'grant create on database DB to LOGIN',
        says: /grant .*create.* on database/,
      },
    ],
    [
      'USAGE on the schema',
      {
        take: schemaOf('create'),
        give: 'grant usage on schema SCHEMA to LOGIN',
        says: /grant usage, create on schema/,
      },
    ],
    [
      'CREATE on the schema',
      {
        take: schemaOf('usage'),
        give: 'grant create on schema SCHEMA to LOGIN',
        says: /grant usage, create on schema/,
      },
    ],
  ])('whose login lacks %s says so', async ([, refusal], { expect }) => {
    await using world = await createWorld();
    await check(world, refusal, { run: runAt(world), expect });
  });
});

/** As where a customer has made the table its own, and granted what is left. */
const ownedElsewhere = (rights: string) =>
  `alter table TABLE owner to current_user; grant ${rights} on TABLE to LOGIN`;

const tableRights = ['select', 'insert', 'update', 'delete'];
const lacking = (right: string): [string, Refusal] => [
  right.toUpperCase(),
  {
    take: ownedElsewhere(tableRights.filter((one) => one !== right).join(', ')),
    give: `grant ${right} on TABLE to LOGIN`,
    says: /grant select, insert, update, delete on table/,
    isRefresh: right === 'delete',
  },
];

describe.concurrent('a destination that has been loaded', patient, () => {
  test.for<[string, Refusal]>([
    ...tableRights.map(lacking),
    [
      'TEMPORARY on the database',
      {
        take: 'revoke temporary on database DB from public',
        give: 'grant temporary on database DB to LOGIN',
        says: /grant temporary on database/,
      },
    ],
    [
      'UPDATE on what Waybill keeps there',
      {
        take: 'revoke update on SCHEMA._waybill_load from LOGIN',
        give: 'grant update on SCHEMA._waybill_load to LOGIN',
        says: /grant .*update.* on table "_waybill_load"/,
      },
    ],
    [
      'a policy of its row-level security',
      {
        take: 'alter table TABLE enable row level security; alter table TABLE force row level security',
        give: 'create policy waybill on TABLE to LOGIN using (true)',
        says: /row-level security.*bypassrls/i,
      },
    ],
  ])('whose login lacks %s says so', async ([, refusal], { expect }) => {
    await using world = await createWorld();
    const { sql, customer } = world;
    await transfer(system, customer.destinationId);
    const ofTenant = 'where tenant = $1';
    const change = /*sql*/ `update orders set note = 'new', changed_at = now() ${ofTenant}`;
    await sql.query(change, [customer.tenant]);
    if (refusal.isRefresh === true)
      await sql.query(/*sql*/ `delete from orders ${ofTenant} and id % 10 = 0`, [customer.tenant]);
    await check(world, refusal, { run: runAt(world), expect });
  });
});

describe('a source', () => {
  const runAtSource = (statement: string) =>
    vendor.sql.query(
      statement.replaceAll('DB', vendor.database.name).replaceAll('LOGIN', vendor.login.name),
    );
  const columns = 'tenant, id, total, note, is_paid, due_on, body, changed_at';

  test.for<[string, Refusal]>([
    [
      'CONNECT on the database',
      {
        take: 'revoke connect on database DB from public',
        give: 'grant connect on database DB to public',
        says: /grant connect on database/,
      },
    ],
    [
      'USAGE on the schema',
      {
        take: 'revoke usage on schema public from public',
        give: 'grant usage on schema public to public',
        says: /grant usage on schema "public"/,
      },
    ],
    [
      'SELECT on the table',
      {
        take: 'revoke select on orders from LOGIN',
        give: 'grant select on orders to LOGIN',
        says: /grant select on table "orders"/,
      },
    ],
    [
      'SELECT on one column',
      {
        take: `revoke select on orders from LOGIN; grant select (${columns.replace(', total', '')}) on orders to LOGIN`,
        give: 'grant select (total) on orders to LOGIN',
        says: /grant select on table "orders"/,
      },
    ],
    [
      'a policy of its row-level security',
      {
        take: 'alter table orders enable row level security',
        give: 'create policy everything on orders to LOGIN using (true)',
        says: /row-level security.*bypassrls/i,
      },
    ],
  ])('whose login lacks %s says so', async ([, refusal], { expect }) => {
    await using world = await createWorld();
    await check(world, refusal, { run: runAtSource, expect });
  });
});
