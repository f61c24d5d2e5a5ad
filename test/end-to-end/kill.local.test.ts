import { afterAll, describe, test } from 'vitest';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { submit, waitFor, waitForEnd } from '../harness/transfers.ts';
import type { Customer } from '../harness/vendor.ts';
import {
  createCustomer,
  createVendor,
  fill,
  publish,
  rowsAtCustomer,
  rowsAtSource,
} from '../harness/vendor.ts';
import type { WorkerProcess } from '../harness/worker-process.ts';
import { spawnWorker } from '../harness/worker-process.ts';

/** For what takes moments, on a machine that may be busy. */
const soon = { timeout: 20_000 };

// Workers as processes of their own, stopped in every way while they load. Each test has its own Temporal
// namespace, so that it has its workers to itself; they wait for heartbeats to be missed side by side.

const rows = 12_000;
const batchRows = 500;
const settings = { WAYBILL_BATCH_ROWS: String(batchRows), WAYBILL_DATA_SLOTS: '2' };
const endMs = 150_000;

const systems: System[] = [];
const workers: WorkerProcess[] = [];

async function startWorker(system: System): Promise<WorkerProcess> {
  const worker = await spawnWorker(system, settings);
  workers.push(worker);
  return worker;
}

/** A load that takes its worker some ten seconds. */
async function createSlowLoad() {
  const system = await createSystem({ worker: 'none' });
  systems.push(system);
  const first = await startWorker(system);
  const vendor = await createVendor(system);
  await fill(vendor.sql, 'big', { rows });
  // A row takes about a millisecond to read, so that there is time to hit the middle.
  await vendor.sql.query(
    /*sql*/ `create view slow as select * from orders where pg_sleep(0.0005) is not null`,
  );
  const modelName = `slow_${vendor.modelName}`;
  await publish(system, { sourceName: vendor.sourceName, modelName, table: 'slow' });
  const destination = { enabled_models: [modelName] };
  const customer = await createCustomer(system, { vendor, tenant: 'big', destination });
  return { system, first, vendor, customer, table: `vendor_data.${modelName}` };
}

/** Rows that were ever written to the table, those of batches that were not committed included. */
async function rowsWritten({ sql }: Customer, table: string): Promise<number> {
  const result = await sql.query<{ written: number }>(
    /*sql*/ `select n_tup_ins::int as written from pg_stat_all_tables where relid = $1::regclass`,
    [table],
  );
  return result.rows[0]?.written ?? 0;
}

afterAll(async () => {
  for (const worker of workers) await worker[Symbol.asyncDispose]();
  for (const system of systems) await system[Symbol.asyncDispose]();
});

describe.concurrent('a worker in the middle of a load', () => {
  test(
    'is killed: the next one goes on after the last batch',
    { timeout: 200_000 },
    async ({ expect }) => {
      const { system, first, vendor, customer, table } = await createSlowLoad();
      const id = await submit(system, customer.destinationId);
      await waitFor(system, id, { until: (now) => now.rows_transferred >= 2000 });
      await first.kill();
      await startWorker(system);
      const ended = await waitForEnd(system, id, endMs);
      expect(ended).toMatchObject({ status: 'SUCCESS', rows_transferred: rows });
      expect(await rowsAtCustomer(customer, table)).toEqual(await rowsAtSource(vendor, 'big'));
      await expect.poll(() => rowsWritten(customer, table), soon).toBeGreaterThanOrEqual(rows);
      // What was written and not committed when it died, and the few rows of the last half minute.
      expect(await rowsWritten(customer, table)).toBeLessThanOrEqual(rows + batchRows + 10);
    },
  );

  test(
    'is asked to stop: it hands back, and the next one goes on',
    { timeout: 200_000 },
    async ({ expect }) => {
      const { system, first, vendor, customer, table } = await createSlowLoad();
      const id = await submit(system, customer.destinationId);
      await waitFor(system, id, { until: (now) => now.rows_transferred >= 1000 });
      await first.stop();
      await startWorker(system);
      const ended = await waitForEnd(system, id, endMs);
      expect(ended).toMatchObject({ status: 'SUCCESS', rows_transferred: rows });
      expect(await rowsAtCustomer(customer, table)).toEqual(await rowsAtSource(vendor, 'big'));
      expect(first.lines.at(-1)).toContain('worker stopped');
    },
  );
});
