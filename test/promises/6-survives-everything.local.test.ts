// Promise 6: a transfer survives everything but its operator. Any process can be killed at any instant, and
// the transfer finishes without anyone's help, resuming at the last committed batch.
import { afterAll, afterEach, beforeAll, test, type TestContext } from 'vitest';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { submit, transfer, waitForEnd } from '../harness/transfers.ts';
import type { Customer, Vendor } from '../harness/vendor.ts';
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
import { createGate, createGatedView, gateTable, type Gate } from './6-gates.ts';

// Workers as processes of their own. All transfers of a test are brought to the point of the kill and hit at
// once, since a worker that was killed is missed only after its heartbeats.

const rows = 1000;
const batchRows = 100;
const settings = { WAYBILL_BATCH_ROWS: String(batchRows), WAYBILL_DATA_SLOTS: '6' };
const endMs = 150_000;
/** For what takes moments, on a machine that may be busy. */
const soon = { timeout: 40_000 };

let system: System;
const workers: WorkerProcess[] = [];

async function startWorker(): Promise<WorkerProcess> {
  const worker = await spawnWorker(system, settings);
  workers.push(worker);
  return worker;
}

beforeAll(async () => {
  system = await createSystem({ worker: 'none' });
});

afterEach(async () => {
  for (const worker of workers.splice(0)) await worker[Symbol.asyncDispose]();
});

afterAll(async () => {
  await system[Symbol.asyncDispose]();
});

interface Place extends AsyncDisposable {
  readonly vendor: Vendor;
  readonly customer: Customer;
  readonly table: string;
  readonly gate: Gate;
}

/** A transfer that stands still at its gate, with batches behind it and batches before it. */
interface Standing extends Place {
  readonly id: string;
  readonly scene: Scene;
}

interface Scene {
  readonly at: 'source' | 'destination';
  /** The row of the source before which reading stops. */
  readonly gateRow?: number;
  /** Runs before the transfer that will be hit. */
  readonly before?: (place: Place) => Promise<unknown>;
  readonly body?: object;
  /** Brings the transfer from where it stopped first to where it is to be hit. */
  readonly onward?: (standing: Standing) => Promise<unknown>;
  /** Rows written to the table in all, had nothing been killed; a few of the last seconds may come twice. */
  readonly written: number;
  /** The rows of one transaction, which may be lost with a kill. */
  readonly atOnce?: number;
}

const middle = rows / 2 + batchRows / 2;

const scenes: Record<string, Scene> = {
  'a first load': { at: 'source', written: rows },
  'the catch-up of a first load': {
    at: 'source',
    gateRow: rows,
    onward: async ({ id, gate }) => {
      await system.api('POST', `/transfers/${id}/pause`);
      await gate.left();
      await system.api('POST', `/transfers/${id}/resume`);
      await gate.reached();
      await gate.open();
      // Has its turn once the main pass is over.
      await gate.close();
      await gate.reached();
    },
    written: rows,
  },
  'a merge': {
    at: 'source',
    before: async (place) => {
      await loadFirst(place);
      await changeAll(place);
    },
    written: 2 * rows,
  },
  'a merged batch that is being committed': {
    at: 'destination',
    before: async (place) => {
      await loadFirst(place);
      await changeAll(place);
      await gateTable(place.customer.sql, place.table, 'commit');
    },
    written: 2 * rows,
  },
  'the publishing of a full refresh': {
    at: 'destination',
    body: { full_refresh: true },
    before: async (place) => {
      await loadFirst(place);
      await changeAll(place);
      await gateTable(place.customer.sql, place.table, 'statement');
    },
    written: 2 * rows,
    // A range of keys, which is far longer than a batch.
    atOnce: rows,
  },
};

function loadFirst({ customer }: Place): Promise<unknown> {
  return transfer(system, customer.destinationId);
}

/** In the order of their ids, as they came. */
function changeAll({ vendor }: Place): Promise<unknown> {
  return vendor.sql.query(
    /*sql*/ `update orders set note = 'new', changed_at = now() + (id - ${rows}) * interval '1 s'`,
  );
}

async function createPlace({ at, gateRow = middle }: Scene): Promise<Place> {
  const vendor = await createVendor(system);
  const tenant = vendor.modelName;
  await fill(vendor.sql, tenant, { rows });
  const modelName = `gated_${vendor.modelName}`;
  const atSource = at === 'source' ? await createGate(vendor) : undefined;
  if (atSource !== undefined) await createGatedView(vendor.sql, { name: 'gated', from: gateRow });
  const table = atSource === undefined ? 'orders' : 'gated';
  await publish(system, { sourceName: vendor.sourceName, modelName, table });
  const destination = { enabled_models: [modelName] };
  const customer = await createCustomer(system, { vendor, tenant, destination });
  const gate = atSource ?? (await createGate(customer));
  return {
    ...{ vendor, customer, gate },
    table: `vendor_data.${modelName}`,
    async [Symbol.asyncDispose]() {
      for (const part of [gate, customer, vendor]) await part[Symbol.asyncDispose]();
    },
  };
}

/** Resolves when the transfer stands where it is to be hit. */
async function stand(scene: Scene): Promise<Standing> {
  const place = await createPlace(scene);
  await scene.before?.(place);
  await place.gate.close();
  const id = await submit(system, place.customer.destinationId, scene.body);
  await place.gate.reached();
  const standing = { ...place, id, scene };
  await scene.onward?.(standing);
  return standing;
}

/** Rows that were ever written to the table, those of batches that were not committed included. */
async function rowsWritten({ customer, table }: Standing): Promise<number> {
  const { rows: found } = await customer.sql.query<{ written: number }>(
    /*sql*/ `select (n_tup_ins + n_tup_upd)::int as written from pg_stat_all_tables
      where relid = $1::regclass`,
    [table],
  );
  return found[0]?.written ?? 0;
}

/** The end of a transfer: all rows, once, and next to nothing of it done again. */
async function expectWhole(standing: Standing, { expect }: TestContext): Promise<void> {
  const { id, scene, vendor, customer, table } = standing;
  const { written, atOnce = batchRows } = scene;
  expect(await waitForEnd(system, id, endMs)).toMatchObject({
    status: 'SUCCESS',
    rows_transferred: rows,
  });
  const landed = await rowsAtCustomer(customer, table);
  expect(landed).toEqual(await rowsAtSource(vendor, customer.tenant));
  await expect.poll(() => rowsWritten(standing), soon).toBeGreaterThanOrEqual(written);
  expect(await rowsWritten(standing)).toBeLessThanOrEqual(written + atOnce);
  const { rows: hidden } = await customer.sql.query(
    /*sql*/ `select relname from pg_class where relname like '\\_waybill\\_copy%'`,
  );
  expect(hidden).toEqual([]);
}

test(
  'a worker is killed in every step at once: another one goes on after the last batch of each',
  { timeout: 240_000 },
  async (context) => {
    const first = await startWorker();
    const standing = await Promise.all(Object.values(scenes).map(stand));
    await first.kill();
    for (const { gate } of standing) await gate.open();
    await startWorker();
    await Promise.all(standing.map((one) => expectWhole(one, context)));
    for (const one of standing) await one[Symbol.asyncDispose]();
  },
);

test('a worker that is asked to stop hands back at its next batch, and nothing is moved again', async (context) => {
  const { expect } = context;
  const scene = { at: 'source', written: rows, atOnce: 10 } as const;
  const first = await startWorker();
  await using standing = await stand(scene);
  const stopped = first.stop();
  await standing.gate.open();
  await stopped;
  expect(first.lines.at(-1)).toContain('worker stopped');
  await startWorker();
  await expectWhole(standing, context);
});
