// Promise 1 and 2: nothing is lost and nothing goes back when our own database is put back to an older state,
// since what has landed is known by the destination alone.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runSql } from '../harness/database.ts';
import { createSystem, type System } from '../harness/system.ts';
import { getTransfer, submit, transfer, waitFor, waitForEnd } from '../harness/transfers.ts';
import { connect, fill } from '../harness/vendor.ts';
import { workflowIds } from '../../domain/temporal-names.ts';
import {
  createPair,
  expectEqual,
  heldAt,
  holdReaders,
  insert,
  releaseReaders,
  type Pair,
} from './late-commits.ts';

const limit = { timeout: 180_000 };

// Each test has a database of ours to itself, for it puts all of it back.
let system: System;

beforeAll(async () => {
  system = await createSystem({ limits: { batchRowsMax: 10 } });
});

afterAll(() => system[Symbol.asyncDispose]());

const onOurs = (statement: string) => runSql(system.metadata.url, statement);

/** All our tables as they are now. */
async function backUp(): Promise<void> {
  await onOurs(/*sql*/ `do $$ declare name text; begin
    drop schema if exists backup cascade;
    create schema backup;
    for name in select tablename from pg_tables where schemaname = 'public' loop
      execute format('create table backup.%1$I as table public.%1$I', name);
    end loop; end $$`);
}

/** As a restore would: in one go, in no order of the foreign keys. */
async function restore(): Promise<void> {
  await onOurs(/*sql*/ `do $$ declare name text; begin
    set local session_replication_role = replica;
    for name in select tablename from pg_tables where schemaname = 'public' loop
      execute format('delete from public.%I', name);
      execute format('insert into public.%1$I overriding system value table backup.%1$I', name);
    end loop; end $$`);
}

/** Makes the open transfers look older than any hand-over, and reconciles. */
async function reconcile(): Promise<void> {
  await onOurs(/*sql*/ `update transfers set submitted_at = submitted_at - interval '1 minute',
    started_at = started_at - interval '1 minute' where ended_at is null`);
  await system.client.workflow.execute('reconcile', {
    workflowId: workflowIds.reconcile,
    taskQueue: system.temporal.taskQueues.control,
  });
}

/** Row 7 as the vendor changes it; the destination keeps a record of all that is written to it there. */
async function change({ vendor }: Pair, note: string): Promise<void> {
  await vendor.sql.query(
    /*sql*/ `update orders set note = '${note}', changed_at = now() where id = 7`,
  );
}

async function watchRow({ customer, table }: Pair): Promise<void> {
  await customer.sql.query(/*sql*/ `
    create table seen (nr int generated always as identity, remark text);
    create function note_down() returns trigger language plpgsql
      as 'begin insert into public.seen (remark) values (new.remark); return null; end';
    create trigger watch after insert or update on ${table}
      for each row when (new.id = 7) execute function note_down()`);
}

async function seenOf({ customer }: Pair): Promise<string[]> {
  const { rows } = await customer.sql.query<{ remark: string }>(
    /*sql*/ `select remark from seen order by nr`,
  );
  return rows.map(({ remark }) => remark);
}

const isKnown = async (id: string) =>
  (await system.ask({ method: 'GET', path: `/transfers/${id}` })).status !== 404;

async function createFilledPair(view?: string): Promise<Pair> {
  const pair = await createPair(system, view === undefined ? {} : { view });
  await fill(pair.vendor.sql, pair.customer.tenant, { rows: 30 });
  await transfer(system, pair.customer.destinationId);
  await watchRow(pair);
  return pair;
}

describe('our own database that was restored from a backup', limit, () => {
  test('has forgotten the transfers since, and the next one neither loses rows nor takes any back', async () => {
    await using pair = await createFilledPair();
    const { vendor, customer } = pair;
    await backUp();
    await change(pair, 'second');
    await vendor.sql.query(insert(1000));
    const { id: increment } = await transfer(system, customer.destinationId);
    await change(pair, 'third');
    await vendor.sql.query(/*sql*/ `delete from orders where id = 8`);
    const body = { full_refresh: true };
    const { id: refresh } = await transfer(system, customer.destinationId, body);
    await restore();
    expect([await isKnown(increment), await isKnown(refresh)]).toEqual([false, false]);
    await expectEqual(pair);
    await change(pair, 'fourth');
    await vendor.sql.query(insert(1001));
    await transfer(system, customer.destinationId);
    await expectEqual(pair);
    expect(await seenOf(pair)).toEqual(['second', 'third', 'fourth']);
  });

  test('ends what it shows as running or waiting and has long succeeded as ORPHANED, and goes on', async () => {
    await using pair = await createFilledPair(heldAt(7));
    const { vendor, customer } = pair;
    await change(pair, 'second');
    await vendor.sql.query(holdReaders);
    const running = await submit(system, customer.destinationId);
    await waitForReaders(pair, 1);
    const waiting = await submit(system, customer.destinationId, { full_refresh: true });
    await backUp();
    await vendor.sql.query(releaseReaders);
    for (const id of [running, waiting])
      expect((await waitForEnd(system, id)).status).toBe('SUCCESS');
    await change(pair, 'third');
    const { id: forgotten } = await transfer(system, customer.destinationId);
    await restore();
    expect(await isKnown(forgotten)).toBe(false);
    expect((await getTransfer(system, running)).status).toBe('RUNNING');
    await vendor.sql.query(insert(1001));
    const next = await submit(system, customer.destinationId);
    await reconcile();
    for (const id of [running, waiting]) {
      const ended = await waitForEnd(system, id);
      expect(ended).toMatchObject({ status: 'ORPHANED', error: { error_code: 'WBL-ORPH' } });
    }
    expect((await waitForEnd(system, next)).status).toBe('SUCCESS');
    await expectEqual(pair);
    expect(await seenOf(pair)).toEqual(['second', 'third']);
  });

  test('while a transfer runs that it does not know: that one ends and takes nothing back', async () => {
    await using pair = await createFilledPair(heldAt(5));
    const { vendor, customer } = pair;
    await backUp();
    await change(pair, 'second');
    await vendor.sql.query(/*sql*/ `update orders set changed_at = now() where id between 1 and 6`);
    await vendor.sql.query(holdReaders);
    const forgotten = await submit(system, customer.destinationId);
    // It has read row 7 as it is now, in a snapshot that it keeps.
    await waitForReaders(pair, 1);
    await restore();
    await change(pair, 'third');
    const next = await submit(system, customer.destinationId);
    await waitForReaders(pair, 2);
    await vendor.sql.query(releaseReaders);
    expect((await waitForEnd(system, next)).status).toBe('SUCCESS');
    await expectEqual(pair);
    const run = system.client.workflow.getHandle(workflowIds.transfer(forgotten));
    await run.result().catch(() => undefined);
    expect((await run.describe()).status.name).not.toBe('RUNNING');
    expect(await isKnown(forgotten)).toBe(false);
    await expectEqual(pair);
    expect((await seenOf(pair)).at(-1)).toBe('third');
    await vendor.sql.query(insert(1001));
    await waitFor(system, await submit(system, customer.destinationId), {
      until: ({ status }) => status === 'SUCCESS',
    });
    await expectEqual(pair);
  });
});

/** Resolves once so many reads of the source wait at the held row. */
async function waitForReaders({ vendor: { database } }: Pair, readers: number): Promise<void> {
  const sql = await connect(database);
  const count = async () => {
    const { rowCount } = await sql.query(/*sql*/ `select from pg_locks l
      join pg_database d on d.oid = l.database and d.datname = current_database()
      where l.locktype = 'advisory' and not l.granted`);
    return rowCount;
  };
  await expect.poll(count, { timeout: 60_000 }).toBe(readers);
  await sql.end();
}
