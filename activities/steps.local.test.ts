import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { memory } from '../connectors/memory.ts';
import type { Batch, ConnectorRegistry, Load } from '../connectors/connector.ts';
import type { Row } from '../connectors/memory/store.ts';
import { memoryColumn, tableOf } from '../connectors/memory/store.ts';
import { getTransfer, type TransferRecord } from '../db/transfers.ts';
import { createMetadata, type Metadata } from '../test/harness/metadata.ts';
import { createShipment, faultyMemory, type Shipment } from '../test/harness/shipment.ts';
import { openOne, runSteps, stepDeps } from '../test/harness/steps.ts';
import { closeTransfer } from './close-transfer.ts';
import type { WorkLimits } from './deps.ts';
import { copySlice } from './copy-slice.ts';
import { evolveSchema } from './evolve-schema.ts';
import { finishModel } from './finish-model.ts';
import { planModel } from './plan-model.ts';

let metadata: Metadata;

beforeAll(async () => {
  metadata = await createMetadata();
});

afterAll(() => metadata[Symbol.asyncDispose]());

async function createFilled(): Promise<Shipment> {
  const shipment = await createShipment(metadata);
  for (const id of [1, 2, 3, 4, 5, 6, 7]) {
    shipment.vendor.advance(id % 2);
    shipment.write(id, 'first');
  }
  return shipment;
}

async function createChanged(): Promise<Shipment> {
  const shipment = await createFilled();
  await runSteps(shipment, faultyMemory([]));
  shipment.vendor.advance(60);
  for (const id of [2, 5, 8, 9, 10]) shipment.write(id, 'second');
  return shipment;
}

/** Fails each call of a transfer once, before or after its effect, and compares both ends and the counts. */
async function checkEveryCall(
  create: () => Promise<Shipment>,
  wishes: { isFullRefresh?: boolean; limits?: Partial<WorkLimits> } = {},
): Promise<void> {
  const whole = faultyMemory([]);
  const expected = countsOf(await runSteps(await create(), { ...whole, ...wishes }));
  const wrong: string[] = [];
  for (const when of ['before', 'after'] as const) {
    for (const [index, verb] of whole.faults.calls.entries()) {
      const shipment = await create();
      const { connectors } = faultyMemory([{ call: index + 1, when }]);
      const transfer = await runSteps(shipment, { connectors, ...wishes });
      const isEqual = isDeepStrictEqual(shipment.rowsAtDestination(), shipment.rowsAtSource());
      if (!isEqual) wrong.push(`${when} call ${index + 1}, ${verb}: rows differ`);
      const counts = countsOf(transfer);
      if (!isDeepStrictEqual(counts, expected)) {
        wrong.push(`${when} call ${index + 1}, ${verb}: ${JSON.stringify({ counts, expected })}`);
      }
    }
  }
  expect(wrong).toEqual([]);
}

function countsOf({ status, models }: TransferRecord) {
  return { status, rows: models.map(({ rows }) => rows) };
}

describe('every call of a transfer fails once, and the rows and counts are as if none had', () => {
  test('in a first load', () => checkEveryCall(createFilled));
  test('in an incremental run', () => checkEveryCall(createChanged));
  test('in one that is moved with its plan', () =>
    checkEveryCall(createChanged, { limits: { batchRowsMax: 100 } }));
  test('in a full refresh', () => checkEveryCall(createChanged, { isFullRefresh: true }));
});

/** The memory connector, whose first batch waits at the door of the destination. */
function createStuckMemory() {
  const arrived = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  let isFirst = true;
  const load = async () => {
    const roles = await memory.load();
    const { destination } = roles;
    if (destination === undefined) return roles;
    return {
      ...roles,
      destination: {
        open: async (...where: Parameters<typeof destination.open>) => {
          const opened = await destination.open(...where);
          const open = opened.open.bind(opened);
          opened.open = async (...plan) => waitAtFirst(await open(...plan));
          return opened;
        },
      },
    };
  };
  const waitAtFirst = (opened: Load): Load => {
    const write = opened.write.bind(opened);
    opened.write = async (batch: Batch, signal) => {
      if (isFirst) {
        isFirst = false;
        arrived.resolve();
        await released.promise;
      }
      return write(batch, signal);
    };
    return opened;
  };
  const connectors: ConnectorRegistry = new Map([['memory', { ...memory, load }]]);
  return { connectors, arrived: arrived.promise, release: released.resolve };
}

describe('two attempts at once', () => {
  test('the older one is fenced out, and nothing of it is left', async () => {
    const shipment = await createFilled();
    const { connectors, arrived, release } = createStuckMemory();
    const ref = await openOne(shipment, { connectors });
    const deps = (attempt: number) => stepDeps(shipment, { connectors, attempt });
    await planModel(deps(1), ref);
    await evolveSchema(deps(1), ref);
    const first = copySlice(deps(1), { ...ref, step: 1 });
    await arrived;
    const second = await copySlice(deps(2), { ...ref, step: 1 });
    expect(second).toMatchObject({ next: 'publish', rows: 7 });
    release();
    await expect(first).rejects.toMatchObject({ kind: 'fenced' });
  });

  test('a slice of a model that is done changes nothing and counts nothing', async () => {
    const shipment = await createChanged();
    const options = faultyMemory([]);
    const ended = await runSteps(shipment, options);
    const [model] = ended.models;
    const ref = { transferId: ended.id, modelId: model?.modelId ?? '' };
    const again = await copySlice(stepDeps(shipment, { ...options, attempt: 2 }), {
      ...ref,
      step: 1,
    });
    expect(again).toMatchObject({ next: 'done', rows: 0, batches: 0 });
  });
});

test('a plan that was frozen until its transfer had ended leaves the end as it is', async () => {
  const shipment = await createFilled();
  const options = faultyMemory([]);
  const ref = await openOne(shipment, options);
  const deps = stepDeps(shipment, options);
  const { transferId, modelId } = ref;
  await closeTransfer(deps, { transferId, outcomes: { [modelId]: { status: 'CANCELLED' } } });
  await expect(planModel(deps, ref)).rejects.toMatchObject({ kind: 'fenced' });
  const { models } = await getTransfer(metadata.db, { environment: 'prod', id: transferId });
  expect(models).toMatchObject([{ status: 'CANCELLED' }]);
});

describe('a slice', () => {
  test('ends at its budget, after the batch under way', async () => {
    const shipment = await createFilled();
    const options = { ...faultyMemory([]), limits: { sliceMs: 0 } };
    const ref = await openOne(shipment, options);
    const deps = stepDeps(shipment, options);
    await planModel(deps, ref);
    await evolveSchema(deps, ref);
    expect(await copySlice(deps, { ...ref, step: 1 })).toMatchObject({ next: 'slice', rows: 2 });
    expect(await copySlice(deps, { ...ref, step: 2 })).toMatchObject({ next: 'slice', rows: 2 });
  });

  test('ends after the batch under way when its worker stops, and goes on elsewhere', async () => {
    const shipment = await createFilled();
    const options = faultyMemory([]);
    const ref = await openOne(shipment, options);
    const deps = stepDeps(shipment, options);
    await planModel(deps, ref);
    await evolveSchema(deps, ref);
    const draining = { ...deps, isDraining: () => true };
    expect(await copySlice(draining, { ...ref, step: 1 })).toMatchObject({
      next: 'slice',
      rows: 2,
    });
    expect(await copySlice(deps, { ...ref, step: 2 })).not.toMatchObject({ rows: 0 });
  });

  test('ends with no_progress when nothing is committed for too long', async () => {
    const shipment = await createFilled();
    const { connectors, release } = createStuckMemory();
    const options = { connectors, limits: { progressMs: 50 } };
    const ref = await openOne(shipment, options);
    const deps = stepDeps(shipment, options);
    await planModel(deps, ref);
    await evolveSchema(deps, ref);
    const slice = copySlice(deps, { ...ref, step: 1 });
    setTimeout(release, 200);
    await expect(slice).rejects.toMatchObject({ kind: 'no_progress' });
  });
});

describe('a table that somebody changed by hand', () => {
  const note = memoryColumn('note', 'string');
  const mine = { columns: [memoryColumn('id', 'bigint'), note], key: ['id'] };

  function dropNote({ customer, tableName }: Shipment): void {
    customer.transact((draft) => {
      const found = tableOf(draft, tableName);
      const columns = found.columns.filter(({ name }) => name !== note.name);
      const rows = found.rows.map(({ id, changed }) => ({ id, changed }) as Row);
      draft.tables.set(tableName, { ...found, columns, rows });
    });
  }

  test('and made under the name during a first load is left as it is', async () => {
    const shipment = await createFilled();
    const { customer, tableName } = shipment;
    const options = faultyMemory([]);
    const ref = await openOne(shipment, options);
    const deps = stepDeps(shipment, options);
    await planModel(deps, ref);
    await evolveSchema(deps, ref);
    const { fence } = await copySlice(deps, { ...ref, step: 1 });
    customer.createTable(tableName, mine);
    const before = customer.snapshot().tables.get(tableName);
    const finish = finishModel(deps, { ...ref, step: 2, fence });
    await expect(finish).rejects.toMatchObject({ kind: 'schema_conflict' });
    expect(customer.snapshot().tables.get(tableName)).toEqual(before);
  });

  test('and without a column of ours is refused until a full refresh fills it again', async () => {
    const shipment = await createChanged();
    dropNote(shipment);
    const options = faultyMemory([]);
    await expect(runSteps(shipment, options)).rejects.toMatchObject({ kind: 'schema_conflict' });
    await runSteps(shipment, { ...options, isFullRefresh: true });
    expect(shipment.rowsAtDestination()).toEqual(shipment.rowsAtSource());
  });

  test('and dropped after the plan is not made again, to be filled with a fragment', async () => {
    const shipment = await createChanged();
    const { customer, tableName } = shipment;
    const options = faultyMemory([]);
    const ref = await openOne(shipment, options);
    const deps = stepDeps(shipment, options);
    await planModel(deps, ref);
    customer.transact((draft) => draft.tables.delete(tableName));
    await evolveSchema(deps, ref);
    const slice = copySlice(deps, { ...ref, step: 1 });
    await expect(slice).rejects.toMatchObject({ kind: 'destination_missing' });
  });
});
