import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { TestDatabase } from '../harness/database.ts';
import type { System } from '../harness/system.ts';
import {
  connect,
  createCustomer,
  createVendor,
  publish,
  rowsAtCustomer,
  rowsAtSource,
  type Customer,
  type TextRow,
  type Vendor,
} from '../harness/vendor.ts';

// What the attacks on "nothing is lost" share: a vendor and a customer to each of them, since a fence sees
// every transaction of its database.

/** A vendor with one customer, and nobody else in either database. */
export interface Pair extends AsyncDisposable {
  readonly vendor: Vendor;
  readonly customer: Customer;
  /** Where the model under test lands. */
  readonly table: string;
}

export interface PairOptions {
  /** Run at the source before the first transfer: another type of the last-modified column, say. */
  readonly prepare?: string;
  /** A view over `orders` that is read in place of the table. */
  readonly view?: string;
}

export async function createPair(system: System, options: PairOptions = {}): Promise<Pair> {
  const vendor = await createVendor(system);
  const tenant = `tenant_${randomUUID()}`;
  await vendor.sql.query(/*sql*/ `alter table orders alter tenant set default '${tenant}'`);
  if (options.prepare !== undefined) await vendor.sql.query(options.prepare);
  const modelName = await publishedModel(system, vendor, options.view);
  const destination = { enabled_models: [modelName] };
  const customer = await createCustomer(system, { vendor, tenant, destination });
  return {
    vendor,
    customer,
    table: `vendor_data.${modelName}`,
    async [Symbol.asyncDispose]() {
      await customer[Symbol.asyncDispose]();
      await vendor[Symbol.asyncDispose]();
    },
  };
}

async function publishedModel(system: System, vendor: Vendor, view: string | undefined) {
  if (view === undefined) return vendor.modelName;
  await vendor.sql.query(/*sql*/ `create view seen as ${view}`);
  const modelName = `seen_${randomUUID().slice(0, 8)}`;
  await publish(system, { sourceName: vendor.sourceName, modelName, table: 'seen' });
  return modelName;
}

/**
 * A row of the pair's tenant, whose last-modified value is an expression of SQL: `now()` is when its
 * transaction began.
 */
export function insert(id: number, stamp = 'now()'): string {
  return /*sql*/ `insert into orders (id, total, note, changed_at)
    values (${id}, ${id}.25, 'order ${id}', ${stamp})`;
}

/** A session of the vendor's applications, in a transaction that has begun and taken its `now()`. */
export async function beginLate({ database }: Vendor) {
  const sql = await connect(database);
  await sql.query(/*sql*/ `begin`);
  await sql.query(/*sql*/ `select now(), count(*) from orders`);
  return {
    sql,
    async commit() {
      await sql.query(/*sql*/ `commit`);
      await sql.end();
    },
  };
}

/** Longer than the five seconds that every fence keeps from the present. */
export function passMargin({ sql }: Vendor): Promise<unknown> {
  return sql.query(/*sql*/ `select pg_sleep(6)`);
}

/** Every row of the tenant is there as it is at the source, in all columns, and no other row is. */
export async function expectEqual({ vendor, customer, table }: Pair): Promise<void> {
  const wanted = (await rowsAtSource(vendor, customer.tenant)).map(inUtc);
  expect(await rowsAtCustomer(customer, table)).toEqual(wanted);
}

/** A stamp without a zone, or without a time of day, lands as that moment in UTC. */
function inUtc(row: TextRow): TextRow {
  const stamp = row['changed_at'] ?? '';
  if (stamp.endsWith('infinity') || /[+-]\d\d$/.test(stamp.slice(10))) return row;
  return { ...row, changed_at: `${stamp}${stamp.length === 10 ? ' 00:00:00' : ''}+00` };
}

/** Resolves once somebody waits for a lock in the database. */
export async function waitForLock(database: TestDatabase): Promise<void> {
  const sql = await connect(database);
  const deadline = Date.now() + lockMs;
  for (;;) {
    const { rowCount } = await sql.query(/*sql*/ `select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`);
    if (rowCount !== 0) break;
    if (Date.now() > deadline) throw new Error('Nobody waits for a lock.');
    await sleep(20);
  }
  await sql.end();
}

/** On a busy machine. */
const lockMs = 40_000;

const held = 4711;

/** A view in which a reader that has come to the row waits while the vendor's session holds readers. */
export function heldAt(id: number): string {
  return /*sql*/ `select * from orders
    where id <> ${id} or pg_advisory_xact_lock_shared(${held}) is not null`;
}

export const holdReaders = /*sql*/ `select pg_advisory_lock(${held})`;
export const releaseReaders = /*sql*/ `select pg_advisory_unlock(${held})`;
