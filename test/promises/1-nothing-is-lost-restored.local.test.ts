// Promise 1: nothing is lost when a destination is put back to an older state, between transfers, or moved to
// another server.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, databaseUrl, runSql, type TestDatabase } from '../harness/database.ts';
import { createSystem, type System } from '../harness/system.ts';
import { submit, transfer, waitForEnd } from '../harness/transfers.ts';
import { connect, connectionBlock } from '../harness/vendor.ts';
import { createPair, expectEqual, insert, type Pair } from './late-commits.ts';

/** They wait side by side, on a machine that may be busy. */
const sideBySide = { timeout: 180_000 };

let system: System;

beforeAll(async () => {
  system = await createSystem({ lookbackSeconds: 0 });
});

afterAll(() => system[Symbol.asyncDispose]());

const stampOf = (month: number) => `'2026-0${month}-01 00:00:00.000001+00'`;

/** A day's work at the source: rows that are stamped with the month, so that each day has its own range. */
async function work({ vendor }: Pair, month: number): Promise<void> {
  await vendor.sql.query(insert(month * 10, stampOf(month)));
  await vendor.sql.query(insert(month * 10 + 1, stampOf(month)));
  await vendor.sql.query(
    /*sql*/ `update orders set note = 'month ${month}', changed_at = ${stampOf(month)} where id = 10`,
  );
}

/** Works and transfers once for each month. */
async function pass(pair: Pair, ...months: readonly number[]): Promise<void> {
  for (const month of months) {
    await work(pair, month);
    await transfer(system, pair.customer.destinationId);
  }
}

const tablesOf = ({ table }: Pair) => [
  '_waybill_load',
  '_transfer_status',
  table.slice(table.indexOf('.') + 1),
];

/** As pg_dump would: rows, defaults, keys and indexes, under oids of their own. */
async function backUp(pair: Pair): Promise<void> {
  const { sql } = pair.customer;
  await sql.query(/*sql*/ `create schema backup`);
  for (const name of tablesOf(pair)) {
    await sql.query(/*sql*/ `create table backup.${name} (like vendor_data.${name} including all)`);
    await sql.query(/*sql*/ `insert into backup.${name} select * from vendor_data.${name}`);
  }
}

const restore = /*sql*/ `drop schema vendor_data cascade; alter schema backup rename to vendor_data`;

describe.concurrent('a destination', sideBySide, () => {
  test('that was restored from a backup goes on from its own state', async () => {
    await using pair = await createPair(system);
    await pass(pair, 1);
    await backUp(pair);
    await pass(pair, 2, 3);
    await pair.customer.sql.query(restore);
    await pass(pair, 4);
    await expectEqual(pair);
  });

  test('that was restored to before its first load is loaded in full', async () => {
    await using pair = await createPair(system);
    await pass(pair, 1, 2);
    await pair.customer.sql.query(/*sql*/ `drop schema vendor_data cascade`);
    await pass(pair, 3);
    await expectEqual(pair);
  });

  test('that moved to a server without its tables is loaded in full', async () => {
    await using pair = await createPair(system);
    await using elsewhere = await createTestDatabase();
    await pass(pair, 1, 2);
    await moveTo(pair, elsewhere);
    await pass(pair, 3);
    await expectEqualAt(pair, elsewhere);
  });

  test('that moved to an older copy of its database goes on from that copy', async () => {
    await using pair = await createPair(system);
    await pass(pair, 1);
    await using elsewhere = await copyOf(pair);
    await pass(pair, 2);
    await moveTo(pair, elsewhere);
    await pass(pair, 3);
    await expectEqualAt(pair, elsewhere);
  });

  test('whose table is gone while its watermark is there asks for a full refresh', async () => {
    await using pair = await createPair(system);
    const { customer, table } = pair;
    await pass(pair, 1);
    await customer.sql.query(/*sql*/ `drop table ${table}`);
    await work(pair, 2);
    const ended = await waitForEnd(system, await submit(system, customer.destinationId));
    expect(ended).toMatchObject({ status: 'ERROR', error: { error_code: 'WBL-MISS' } });
    await transfer(system, customer.destinationId, { full_refresh: true });
    await expectEqual(pair);
  });
});

async function moveTo({ customer }: Pair, place: TestDatabase): Promise<void> {
  const destination = { postgres: connectionBlock(place, 'vendor_data') };
  await system.api('PATCH', `/destinations/${customer.destinationId}`, { destination });
}

async function expectEqualAt(pair: Pair, place: TestDatabase): Promise<void> {
  const sql = await connect(place);
  await expectEqual({ ...pair, customer: { ...pair.customer, sql } });
  await sql.end();
}

async function copyOf({ customer: { database, sql } }: Pair): Promise<TestDatabase> {
  const copy = await createTestDatabase();
  const server = databaseUrl(copy, 'postgres');
  await runSql(server, /*sql*/ `drop database ${copy.name}`);
  await sql.end();
  await runSql(server, /*sql*/ `create database ${copy.name} template ${database.name}`);
  return copy;
}
