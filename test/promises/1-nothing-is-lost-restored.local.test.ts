// Promise 1: nothing is lost when a destination is put back to an older state, between transfers or while one
// runs, or is moved to another server.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../../bin/run-command.ts';
import { createTestDatabase, databaseUrl, runSql, type TestDatabase } from '../harness/database.ts';
import { startPrivatePostgres } from '../harness/postgres-process.ts';
import { createSystem, type System } from '../harness/system.ts';
import { submit, transfer, waitForEnd } from '../harness/transfers.ts';
import { connect, connectionBlock } from '../harness/vendor.ts';
import { createPair, expectEqual, insert, waitForLock, type Pair } from './late-commits.ts';

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

  test('that was restored while a transfer runs goes on from its own state', async () => {
    await using pair = await createPair(system);
    const { customer } = pair;
    await pass(pair, 1);
    await backUp(pair);
    await pass(pair, 2);
    await work(pair, 3);
    // The transfer makes its plan and then waits, to open its load.
    await customer.sql.query(
      /*sql*/ `begin; lock table vendor_data._waybill_load in exclusive mode`,
    );
    const id = await submit(system, customer.destinationId);
    await waitForLock(customer.database);
    for (const name of tablesOf(pair)) {
      await customer.sql.query(
        /*sql*/ `truncate vendor_data.${name}; insert into vendor_data.${name} select * from backup.${name}`,
      );
    }
    await customer.sql.query(/*sql*/ `commit`);
    expect((await waitForEnd(system, id)).status).toBe('SUCCESS');
    await expectEqual(pair);
  });

  test('that failed over to an older copy while a transfer runs goes on from it', async () => {
    await using server = await startPrivatePostgres();
    await using pair = await createPair(system);
    const place = { ...server, name: 'postgres', drop: async () => undefined };
    await moveTo(pair, place);
    await pass(pair, 1);
    const { cluster } = server.server;
    const copy = `${cluster}-copy`;
    await server.stop();
    await run('cp', '-a', cluster, copy);
    await server.start();
    await pass(pair, 2);
    await work(pair, 3);
    const customer = await connect(place);
    customer.on('error', () => undefined);
    await customer.query(/*sql*/ `begin; lock table vendor_data._waybill_load in exclusive mode`);
    const id = await submit(system, pair.customer.destinationId);
    await waitForLock(place);
    await server.kill();
    await run('rm', '-r', cluster);
    await run('mv', copy, cluster);
    await server.start();
    expect((await waitForEnd(system, id)).status).toBe('SUCCESS');
    await expectEqualAt(pair, place);
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

async function run(command: string, ...args: readonly string[]): Promise<void> {
  expect(await runCommand(command, [...args], { timeoutMs: 60_000 })).toMatchObject({
    failed: undefined,
  });
}
