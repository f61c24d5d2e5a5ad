// Promise 1: nothing is lost where the source is a standby, where Temporal has lost all it knew, and where a
// worker dies in the middle of very many rows of one last-modified value.
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { describe, expect, test } from 'vitest';
import { must } from '../../lib/must.ts';
import {
  startPrivatePostgres,
  startStandby,
  type PrivatePostgres,
} from '../harness/postgres-process.ts';
import { createSystem, type System } from '../harness/system.ts';
import { getTransfer, submit, transfer, waitFor, waitForEnd } from '../harness/transfers.ts';
import { connect, connectionBlock, createOrders, fill } from '../harness/vendor.ts';
import { spawnWorker, type WorkerProcess } from '../harness/worker-process.ts';
import { patchSource } from './6-logins.ts';
import { databaseOf, startOwnServers } from './6-own-servers.ts';
import {
  beginLate,
  createPair,
  expectEqual,
  heldAt,
  holdReaders,
  insert,
  releaseReaders,
  waitForLock,
  type Pair,
} from './late-commits.ts';

/** They wait side by side, on a machine that may be busy. */
const limit = { timeout: 180_000 };
const endMs = 150_000;
const soonMs = 60_000;
const pollMs = 20;

describe.concurrent('a source that is a standby', limit, () => {
  test('is said to be covered by the lookback, and what commits within it arrives later', async () => {
    await using system = await createSystem();
    await using servers = await startReplicated();
    await using pair = await createPairAt(system, servers);
    const { vendor, customer } = pair;
    await fill(vendor.sql, customer.tenant, { rows: 30 });
    const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
    const stamp = (seconds: number) => `timestamptz '${yesterday}' + interval '${seconds} s'`;

    const late = await beginLate(vendor);
    // To the microsecond as old as the lookback allows, beside the row that will be the watermark.
    await late.sql.query(insert(1000, stamp(0)));
    await late.sql.query(
      /*sql*/ `update orders set note = 'late', changed_at = ${stamp(0.000001)} where id = 7`,
    );
    await vendor.sql.query(insert(2000, stamp(30)));
    await servers.replay();
    for (const _ of ['first load', 'increment']) {
      const { log } = await transfer(system, customer.destinationId);
      expect(log).toContain(
        'late commits are found within the lookback only: The source is a standby, ' +
          'which does not show the open transactions of its primary.',
      );
    }
    await late.commit();
    await servers.replay();
    await transfer(system, customer.destinationId);
    await expectEqual(pair);
  });

  test('and stands still for a while loses nothing of what its primary commits meanwhile', async () => {
    await using system = await createSystem();
    await using servers = await startReplicated();
    await using pair = await createPairAt(system, servers);
    const { vendor, customer } = pair;
    await fill(vendor.sql, customer.tenant, { rows: 30 });
    await servers.replay();
    await transfer(system, customer.destinationId);
    await servers.onStandby(/*sql*/ `select pg_wal_replay_pause()`);
    await vendor.sql.query(insert(1000));
    await vendor.sql.query(
      /*sql*/ `update orders set note = 'unseen', changed_at = now() where id < 5`,
    );
    const { rows_transferred: unseen } = await transfer(system, customer.destinationId);
    expect(unseen).toBeLessThan(31);
    await servers.onStandby(/*sql*/ `select pg_wal_replay_resume()`);
    await servers.replay();
    await transfer(system, customer.destinationId);
    await expectEqual(pair);
  });
});

interface Replicated extends AsyncDisposable {
  readonly primary: PrivatePostgres;
  readonly standby: PrivatePostgres;
  onStandby(statement: string): Promise<pg.QueryResult>;
  /** Resolves once the standby shows all that the primary has committed. */
  replay(): Promise<void>;
}

async function startReplicated(): Promise<Replicated> {
  const primary = await startPrivatePostgres({ settings: { wal_level: 'replica' } });
  const standby = await startStandby(primary);
  const [written, replayed] = [
    await connect(databaseOf(primary)),
    await connect(databaseOf(standby)),
  ];
  const replay = async () => {
    const { rows } = await written.query<{ lsn: string }>(
      /*sql*/ `select pg_current_wal_lsn()::text as lsn`,
    );
    const lsn = must(rows[0], 'a position').lsn;
    const statement = /*sql*/ `select where pg_last_wal_replay_lsn() >= $1::pg_lsn`;
    await until(async () => (await replayed.query(statement, [lsn])).rowCount === 1);
  };
  return {
    ...{ primary, standby, replay },
    onStandby: (statement) => replayed.query(statement),
    async [Symbol.asyncDispose]() {
      await Promise.all([written.end(), replayed.end()]);
      await standby[Symbol.asyncDispose]();
      await primary[Symbol.asyncDispose]();
    },
  };
}

/** Orders are written at the primary and read from the standby. */
async function createPairAt(system: System, { primary, standby }: Replicated): Promise<Pair> {
  const pair = await createPair(system);
  const { vendor, customer } = pair;
  const database = databaseOf(primary);
  const sql = await connect(database);
  await createOrders(sql, 'orders');
  await sql.query(/*sql*/ `alter table orders alter tenant set default '${customer.tenant}'`);
  await patchSource(system, vendor, connectionBlock(databaseOf(standby), 'public'));
  return {
    ...pair,
    vendor: { ...vendor, database, sql },
    async [Symbol.asyncDispose]() {
      await sql.end();
      await pair[Symbol.asyncDispose]();
    },
  };
}

describe.concurrent('Temporal that has lost all it knew while a transfer runs', limit, () => {
  test('lets that transfer end as ORPHANED once workers start, and the next one brings every row', async () => {
    await using servers = await startOwnServers({ WAYBILL_BATCH_ROWS: '100' });
    const { system, parts } = servers;
    await using pair = await createPair(system, { view: heldAt(1250) });
    const { vendor, customer } = pair;
    await fill(vendor.sql, customer.tenant, { rows: 500, from: 1001 });
    await transfer(system, customer.destinationId);
    await vendor.sql.query(
      /*sql*/ `update orders set note = 'new', changed_at = now() + make_interval(secs => id / 1e6)`,
    );
    await vendor.sql.query(holdReaders);
    const id = await submit(system, customer.destinationId);
    await waitForLock(vendor.database);
    await servers.loseTemporal();
    // A worker puts the schedule of `reconcile` into an empty Temporal when it starts.
    await parts.worker.kill();
    await parts.worker.start();
    await vendor.sql.query(releaseReaders);
    const ended = await waitForEnd(system, id, endMs);
    expect(ended).toMatchObject({ status: 'ORPHANED', error: { error_code: 'WBL-ORPH' } });
    await vendor.sql.query(insert(2000));
    await transfer(system, customer.destinationId);
    await expectEqual(pair);
  });
});

const rows = 100_000;
const batchRows = 5000;
const settings = { WAYBILL_BATCH_ROWS: String(batchRows) };

/** Rows that share one last-modified value, the one in the middle to be waited at. */
const tied = /*sql*/ `insert into orders (id, total, note, changed_at)
  select n, n, 'order ' || n, now() from generate_series(1, ${rows}) as n`;
const middle = rows / 2 + batchRows / 2;

describe.concurrent('100,000 rows of one last-modified value', limit, () => {
  test.each(['a first load', 'an increment'])(
    'arrive in %s whose worker is killed half way, and no committed batch is moved again',
    async (kind) => {
      await using system = await createSystem({ worker: 'none' });
      await using first = await spawnWorker(system, settings);
      await using pair = await createPair(system, { view: heldAt(middle) });
      const { vendor, customer } = pair;
      await vendor.sql.query(insert(rows + 1, `now() - interval '1 hour'`));
      if (kind === 'an increment') await transfer(system, customer.destinationId);
      await vendor.sql.query(`${tied}; analyze orders`);
      await vendor.sql.query(holdReaders);
      const id = await submit(system, customer.destinationId);
      await waitFor(system, id, { until: (now) => now.rows_transferred >= 8 * batchRows });
      await waitForLock(vendor.database);
      await first.kill();
      const { rows_transferred: before } = await getTransfer(system, id);
      await vendor.sql.query(releaseReaders);
      await using second = await spawnWorker(system, settings);
      const ended = await waitForEnd(system, id, endMs);
      expect(ended.status).toBe('SUCCESS');
      await expectEqual(pair);
      expect(ended.rows_transferred).toBeLessThanOrEqual(rows + 1);
      // The count before may lack a batch committed in the moment of the kill, but has none too many.
      expect(before + rowsMovedBy(second)).toBeLessThanOrEqual(rows + 1 + batchRows);
      // The catch-up of a first load stages its rows once more; that of an increment writes what differs.
      if (kind === 'an increment')
        expect(await rowsWritten(pair)).toBeLessThanOrEqual(rows + 1 + batchRows);
    },
  );
});

/** The rows that a worker's slices have committed in main passes, by its own lines. */
function rowsMovedBy({ lines }: WorkerProcess): number {
  type Line = { step?: string; rows?: number };
  const slices = lines
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line)
    .filter(({ step, rows: moved }) => step === 'copySlice' && moved !== undefined);
  expect(slices).not.toEqual([]);
  return slices.reduce((sum, { rows: moved = 0 }) => sum + moved, 0);
}

/** Rows ever written to the customer's table, those of batches that were not committed included. */
async function rowsWritten({ customer, table }: Pair): Promise<number> {
  const count = async () => {
    const { rows: found } = await customer.sql.query<{ written: number }>(
      /*sql*/ `select (n_tup_ins + n_tup_upd)::int as written from pg_stat_all_tables
        where relid = $1::regclass`,
      [table],
    );
    return must(found[0], 'a row of statistics').written;
  };
  // A session hands its counts in when it ends.
  await until(async () => (await count()) > rows);
  return count();
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + soonMs;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`Not so within ${soonMs / 1000} s.`);
    await sleep(pollMs);
  }
}
