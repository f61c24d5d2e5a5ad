// Promise 6: a transfer survives everything but its operator. Whatever a server refuses for a while - a
// statement, a lock, a connection - the transfer goes on by itself once it is given.
import { afterAll, beforeAll, describe, test, type ExpectStatic } from 'vitest';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { submit, transfer, waitForEnd } from '../harness/transfers.ts';
import type { Customer, Vendor } from '../harness/vendor.ts';
import {
  connect,
  createCustomer,
  createVendor,
  fill,
  modelColumns,
  publish,
  rowsAtCustomer,
  rowsAtSource,
} from '../harness/vendor.ts';
import { failuresMet } from './6-failures-met.ts';
import {
  createGate,
  createGatedView,
  gateTable,
  lockIn,
  waitForLock,
  type Gate,
} from './6-gates.ts';
import { createLogin, loginBlock, patchSource, writeAs } from './6-logins.ts';

const rows = 100;
const batchRows = 20;
/** For what takes moments, on a machine that may be busy. */
const soon = { timeout: 40_000 };

/** Tests that run side by side share the machine, and each one's time runs from the first. */
const patient = { timeout: 180_000 };

let system: System;

beforeAll(async () => {
  system = await createSystem({ limits: { batchRowsMax: batchRows } });
});

afterAll(() => system[Symbol.asyncDispose]());

interface World extends AsyncDisposable {
  readonly vendor: Vendor;
  readonly customer: Customer;
  readonly modelId: string;
  readonly table: string;
  /** Reading stops before the middle row while it is closed. */
  readonly sourceGate: Gate;
  readonly destinationGate: Gate;
}

async function createWorld(): Promise<World> {
  const vendor = await createVendor(system);
  const { sourceName, modelName: tenant } = vendor;
  await fill(vendor.sql, tenant, { rows });
  const sourceGate = await createGate(vendor);
  await createGatedView(vendor.sql, { name: 'gated', from: rows / 2 });
  const modelName = `gated_${tenant}`;
  const modelId = await publish(system, { sourceName, modelName, table: 'gated' });
  const destination = { enabled_models: [modelName] };
  const customer = await createCustomer(system, { vendor, tenant, destination });
  const destinationGate = await createGate(customer);
  return {
    ...{ vendor, customer, modelId, sourceGate, destinationGate },
    table: `vendor_data.${modelName}`,
    async [Symbol.asyncDispose]() {
      const parts = [sourceGate, destinationGate, customer, vendor];
      for (const part of parts) await part[Symbol.asyncDispose]();
    },
  };
}

async function expectEqual({ vendor, customer, table }: World, expect: ExpectStatic) {
  const expected = await rowsAtSource(vendor, customer.tenant);
  expect(await rowsAtCustomer(customer, table)).toEqual(expected);
}

/** A world that has been loaded, with every row changed at the source since. */
async function createChanged(): Promise<World> {
  const world = await createWorld();
  await transfer(system, world.customer.destinationId);
  await world.vendor.sql.query(/*sql*/ `update orders set note = 'new', changed_at = now()`);
  return world;
}

interface Refusal {
  readonly kind: string;
  /** Resolves when the server has refused, or is about to. */
  readonly refuse: (transferId: string) => Promise<unknown>;
  readonly relent?: () => Promise<unknown>;
}

/** Sees a transfer meet the refusal, and end well without help once that is over. */
async function check(world: World, { kind, refuse, relent }: Refusal, expect: ExpectStatic) {
  const id = await submit(system, world.customer.destinationId);
  await refuse(id);
  await expect.poll(() => failuresMet(system, id).map((met) => met.kind), soon).toContain(kind);
  await relent?.();
  expect(await waitForEnd(system, id)).toMatchObject({ status: 'SUCCESS' });
  expect(new Set(failuresMet(system, id).map((met) => met.kind))).toEqual(new Set([kind]));
  await expectEqual(world, expect);
}

const ends = { source: 'waybill-read', destination: 'waybill-write' } as const;
type End = keyof typeof ends;

const administered: [string, End, 'pg_terminate_backend' | 'pg_cancel_backend', string][] = [
  ['a session that an administrator ends', 'source', 'pg_terminate_backend', 'unreachable'],
  ['a session that an administrator ends', 'destination', 'pg_terminate_backend', 'unreachable'],
  ['a statement that an administrator cancels', 'source', 'pg_cancel_backend', 'busy'],
  ['a statement that an administrator cancels', 'destination', 'pg_cancel_backend', 'busy'],
];

describe.concurrent('a transfer survives', patient, () => {
  test.for(administered)('%s at the %s', async ([, end, does, kind], { expect }) => {
    await using world = await createChanged();
    const { vendor, customer, table, sourceGate, destinationGate } = world;
    if (end === 'destination') await gateTable(customer.sql, table, 'statement');
    const gate = end === 'source' ? sourceGate : destinationGate;
    const { sql } = end === 'source' ? vendor : customer;
    await gate.close();
    const strike = async () => {
      await sql.query(
        /*sql*/ `select ${does}(pid) from pg_stat_activity
          where datname = current_database() and application_name = $1`,
        [ends[end]],
      );
    };
    // Planning reads ahead, and lets go of more than a few rows: nobody is there to meet its end.
    const refuse = async (id: string) => {
      await gate.reached();
      const meet = async () => {
        await strike();
        return failuresMet(system, id).length;
      };
      await expect.poll(meet, soon).toBeGreaterThan(0);
      await gate.open();
    };
    await check(world, { kind: `${end}_${kind}`, refuse }, expect);
  });

  test('timeouts of both databases that are shorter than a statement', async ({ expect }) => {
    await using world = await createWorld();
    const { vendor, customer, sourceGate } = world;
    for (const { sql, database } of [vendor, customer]) {
      for (const name of ['statement', 'idle_in_transaction_session'])
        await sql.query(/*sql*/ `alter database ${database.name} set ${name}_timeout = '500ms'`);
    }
    const watch = await connect({ ...vendor.database });
    await watch.query(/*sql*/ `set statement_timeout = 0`);
    await sourceGate.close();
    const id = await submit(system, customer.destinationId);
    await sourceGate.reached();
    await watch.query(/*sql*/ `select pg_sleep(1)`);
    await sourceGate.open();
    await watch.end();
    expect(await waitForEnd(system, id)).toMatchObject({ status: 'SUCCESS' });
    expect(failuresMet(system, id)).toEqual([]);
    await expectEqual(world, expect);
  });

  test('a deadlock with somebody else at the destination', async ({ expect }) => {
    await using world = await createChanged();
    const { customer, table, destinationGate } = world;
    const other = await connect(customer.database);
    const touch = (id: number) =>
      other.query(/*sql*/ `update ${table} set remark = '' where id = ${id}`);
    await gateRow(customer, { table, id: batchRows / 2 });
    await destinationGate.close();
    // So that it is never the other one that gives way.
    await other.query(/*sql*/ `set deadlock_timeout = '1h'; begin`);
    await touch(batchRows);
    const refuse = async () => {
      await destinationGate.reached();
      const touched = touch(1);
      await waitForTransaction(customer);
      await destinationGate.open();
      await touched;
    };
    const relent = async () => {
      await other.query(/*sql*/ `rollback`);
      await other.end();
    };
    await check(world, { kind: 'destination_busy', refuse, relent }, expect);
  });

  test('a table that somebody locks for long, and waits for it', async ({ expect }) => {
    await using world = await createChanged();
    const wait = await lockIn(world.customer, world.table);
    const id = await submit(system, world.customer.destinationId);
    await (
      await wait()
    )();
    expect(await waitForEnd(system, id)).toMatchObject({ status: 'SUCCESS' });
    expect(failuresMet(system, id)).toEqual([]);
    await expectEqual(world, expect);
  });

  test('a long reader of a table that gets a column, and holds up no other reader', async ({
    expect,
  }) => {
    await using world = await createChanged();
    const { vendor, customer, modelId, table } = world;
    const reader = await connect(customer.database);
    await reader.query(/*sql*/ `begin; select count(*) from ${table}`);
    await vendor.sql.query(/*sql*/ `alter table orders add column extra text default 'more'`);
    await vendor.sql.query(/*sql*/ `create or replace view gated as
      select * from orders where case when id = ${rows / 2} then pass_gate() else true end`);
    const extra = { name_in_source: 'extra', name_in_destination: 'extra', data_type: 'string' };
    await system.api('PATCH', `/models/${modelId}`, {
      model: { columns: [...modelColumns(), extra] },
    });
    const refuse = async () => undefined;
    const relent = async () => {
      // The queue behind the change is gone with it.
      await customer.sql.query(/*sql*/ `select count(*) from ${table}`);
      await reader.end();
    };
    await check(world, { kind: 'destination_busy', refuse, relent }, expect);
  });

  test.for(['source', 'destination'] as const)(
    'a login at the %s that may open no more connections',
    async (end, { expect }) => {
      await using world = await createWorld();
      const { vendor, customer } = world;
      const place = end === 'source' ? vendor : customer;
      await using login = await createLogin(place, 'connection limit 0');
      await place.sql.query(/*sql*/ `grant select on all tables in schema public to ${login.name}`);
      if (end === 'source') await patchSource(system, vendor, loginBlock(login));
      else await writeAs(system, customer, login);
      const refuse = async () => undefined;
      const relent = () => place.sql.query(/*sql*/ `alter role ${login.name} connection limit -1`);
      await check(world, { kind: `${end}_busy`, refuse, relent }, expect);
    },
  );
});

/** Whoever writes the row stops before it, with the locks of the rows it has written. */
async function gateRow(
  { sql }: Customer,
  { table, id }: { table: string; id: number },
): Promise<void> {
  await sql.query(/*sql*/ `create function wait_before() returns trigger language plpgsql
    as 'begin perform pass_gate(); return new; end'`);
  await sql.query(/*sql*/ `create trigger gate before insert or update on ${table} for each row
    when (new.id = ${id}) execute function wait_before()`);
}

/** Resolves once a session waits for another's transaction. */
async function waitForTransaction({ database }: Customer): Promise<void> {
  const sql = await connect(database);
  await waitForLock(sql, `l.locktype = 'transactionid'`);
  await sql.end();
}

describe.concurrent('a password that is changed in the middle of a load', patient, () => {
  test.for(['source', 'destination'] as const)(
    'at the %s ends it with a clear answer, and the next transfer goes on',
    async (end, { expect }) => {
      await using world = await createWorld();
      const { vendor, customer, sourceGate } = world;
      const place = end === 'source' ? vendor : customer;
      await using login = await createLogin(place);
      const { name } = login;
      await place.sql.query(/*sql*/ `grant select on all tables in schema public to ${name}`);
      if (end === 'source') await patchSource(system, vendor, loginBlock(login));
      else await writeAs(system, customer, login);
      await sourceGate.close();
      const id = await submit(system, customer.destinationId);
      await sourceGate.reached();
      await place.sql.query(/*sql*/ `alter role ${name} password 'second'`);
      await place.sql.query(
        /*sql*/ `select pg_terminate_backend(pid) from pg_stat_activity where usename = $1`,
        [name],
      );
      await sourceGate.open();
      const refused = await waitForEnd(system, id);
      expect(refused.error).toMatchObject({ error_code: 'WBL-AUTH' });
      expect(refused.error?.message).toContain(`The ${end} refuses the login`);
      await expect(rowsAtCustomer(customer, world.table)).rejects.toThrow('does not exist');
      const postgres = loginBlock({ name, password: 'second' });
      if (end === 'source') await patchSource(system, vendor, postgres);
      else await writeAs(system, customer, { ...login, password: 'second' });
      const next = await transfer(system, customer.destinationId);
      expect(next.log).toContain('continued');
      expect(next.rows_transferred).toBe(rows - refused.rows_transferred);
      await expectEqual(world, expect);
    },
  );
});

describe.concurrent('a transfer that is cancelled', patient, () => {
  const steps: [string, 'source' | 'destination', object][] = [
    ['in a merge', 'source', {}],
    ['in a commit', 'destination', {}],
    ['in a full refresh', 'source', { full_refresh: true }],
    ['while a full refresh is published', 'destination', { full_refresh: true }],
  ];

  test.for(steps)(
    '%s leaves nothing hidden behind, and the next one is fine',
    async ([, end, body], { expect }) => {
      await using world = await createChanged();
      const { customer, table, sourceGate, destinationGate } = world;
      if (end === 'destination') await gateTable(customer.sql, table, 'commit');
      const gate = end === 'source' ? sourceGate : destinationGate;
      await gate.close();
      const id = await submit(system, customer.destinationId, body);
      await gate.reached();
      await system.api('POST', `/transfers/${id}/cancel`);
      await gate.left();
      await gate.open();
      expect(await waitForEnd(system, id)).toMatchObject({ status: 'CANCELLED' });
      await transfer(system, customer.destinationId);
      await expectEqual(world, expect);
      await transfer(system, customer.destinationId, { full_refresh: true });
      const { rows: hidden } = await customer.sql.query(
        /*sql*/ `select relname from pg_class where relname like '\\_waybill\\_copy%'`,
      );
      expect(hidden).toEqual([]);
    },
  );
});
