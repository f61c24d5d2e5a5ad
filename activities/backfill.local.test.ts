import { and, asc, eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changeRows, memoryColumn, tableOf } from '../connectors/memory/store.ts';
import { backfills } from '../db/backfill-schema.ts';
import { cancelTransfer } from '../db/cancel-transfer.ts';
import { getModel, updateModel } from '../db/models.ts';
import { submitTransfer } from '../db/submit-transfer.ts';
import { transfers } from '../db/transfer-schema.ts';
import { getTransfer, type TransferRecord } from '../db/transfers.ts';
import type { ModelRef } from '../domain/steps.ts';
import { must } from '../lib/must.ts';
import { createMetadata, testAudit, tester, type Metadata } from '../test/harness/metadata.ts';
import { createShipment, faultyMemory, type Shipment } from '../test/harness/shipment.ts';
import { openOne, runOpened, runSteps, stepDeps, type StepOptions } from '../test/harness/steps.ts';
import { closeTransfer } from './close-transfer.ts';
import { copySlice } from './copy-slice.ts';
import { evolveSchema } from './evolve-schema.ts';
import { openTransfer } from './open-transfer.ts';
import { planModel } from './plan-model.ts';

let metadata: Metadata;

beforeAll(async () => {
  metadata = await createMetadata();
});
afterAll(() => metadata[Symbol.asyncDispose]());

const source = 'shop.orders';
const whole = () => faultyMemory([]);

/** Seven rows that landed before the model got its column `extra`, which the source has always had. */
async function createLanded(switches: object = { backfill_new_columns: true }): Promise<Shipment> {
  const shipment = await createShipment(metadata);
  for (const id of [1, 2, 3, 4, 5, 6, 7]) {
    shipment.vendor.advance(id % 2);
    shipment.write(id, 'first');
  }
  shipment.vendor.transact((draft) => {
    const table = tableOf(draft, source);
    const columns = [...table.columns, memoryColumn('extra', 'string')];
    draft.tables.set(source, { ...table, columns });
    changeRows(draft, source, (rows) => rows.map((row) => ({ ...row, extra: `of ${row['id']}` })));
  });
  await runSteps(shipment, whole());
  shipment.vendor.advance(60);
  await addColumn(shipment, 'extra', switches);
  return shipment;
}

async function addColumn(shipment: Shipment, name: string, switches: object): Promise<void> {
  const scope = { environment: 'prod', idOrName: shipment.modelId } as const;
  const { definition } = await getModel(metadata.db, scope);
  const column = { name_in_source: name, name_in_destination: name, data_type: 'string' };
  const added = { ...column, is_primary_key: false, is_last_modified: false };
  const wanted = { ...definition, ...switches, columns: [...definition.columns, added] };
  await updateModel(metadata.db, { ...scope, definition: wanted, audit: testAudit });
}

/** The backfills of the shipment that were ever submitted, oldest first. */
function fillings({ destinationId }: Shipment) {
  return metadata.db
    .select()
    .from(transfers)
    .where(and(eq(transfers.destinationId, destinationId), eq(transfers.trigger, 'backfill')))
    .orderBy(asc(transfers.submittedAt));
}

async function waitingFilling(shipment: Shipment): Promise<ModelRef | undefined> {
  const waiting = (await fillings(shipment)).filter(({ status }) => status === 'PENDING');
  expect(waiting.length).toBeLessThanOrEqual(1);
  const [one] = waiting;
  return one && { transferId: one.id, modelId: shipment.modelId };
}

async function openFilling(shipment: Shipment): Promise<ModelRef> {
  const ref = must(await waitingFilling(shipment), 'a backfill that waits');
  must(await openTransfer(stepDeps(shipment, whole()), ref), 'a backfill to open');
  return ref;
}

async function fill(shipment: Shipment, options: StepOptions = whole()): Promise<TransferRecord> {
  return runOpened(shipment, await openFilling(shipment), options);
}

function extras({ customer, tableName }: Shipment): (string | null | undefined)[] {
  return customer
    .rows(tableName)
    .toSorted((a, b) => Number(a['id']) - Number(b['id']))
    .map((row) => row['extra']);
}
const empty = [1, 2, 3, 4, 5, 6, 7].map(() => null);
const filled = [1, 2, 3, 4, 5, 6, 7].map((id) => `of ${id}`);

const recordOf = ({ customer, modelId }: Shipment) =>
  must(customer.snapshot().loads.get(modelId), 'a record');

describe('a column that is added', () => {
  test('is filled by a transfer of its own, which moves no watermark', async () => {
    const shipment = await createLanded();
    await runSteps(shipment, whole());
    // The lookback of the memory connector is nothing: the last row alone is read again.
    expect(extras(shipment).slice(0, 6)).toEqual(empty.slice(0, 6));
    const { watermark, greatest } = recordOf(shipment);
    const transfer = await fill(shipment);
    expect(transfer).toMatchObject({
      status: 'SUCCESS',
      trigger: 'backfill',
      isFullRefresh: false,
    });
    expect(extras(shipment)).toEqual(filled);
    expect(recordOf(shipment)).toMatchObject({ watermark, greatest });
    expect(await waitingFilling(shipment)).toBeUndefined();
    const left = await metadata.db
      .select()
      .from(backfills)
      .where(eq(backfills.modelId, shipment.modelId));
    expect(left).toEqual([]);
  });

  test('stays empty without the switch', async () => {
    const shipment = await createLanded({});
    await runSteps(shipment, whole());
    expect(await fillings(shipment)).toEqual([]);
    expect(extras(shipment).slice(0, 6)).toEqual(empty.slice(0, 6));
  });

  test('needs no filling after a full refresh', async () => {
    const shipment = await createLanded();
    await runSteps(shipment, { ...whole(), isFullRefresh: true });
    expect(await fillings(shipment)).toEqual([]);
    expect(extras(shipment)).toEqual(filled);
  });

  test('is asked to be filled also where the change and the transfer were cut off in between', async () => {
    const shipment = await createLanded();
    const ref = await openOne(shipment, whole());
    await planModel(stepDeps(shipment, whole()), ref);
    await evolveSchema(stepDeps(shipment, whole()), ref);
    // The worker is gone, and the transfer given up: the column is there, and no later plan adds it.
    const failure = { kind: 'bug', code: 'INTL', blame: 'host', message: 'x', detail: '' } as const;
    await closeTransfer(stepDeps(shipment, whole()), {
      transferId: ref.transferId,
      outcomes: { [ref.modelId]: { status: 'ERROR', failure } },
    });
    expect(await waitingFilling(shipment)).toBeUndefined();
    await runSteps(shipment, whole());
    await fill(shipment);
    expect(extras(shipment)).toEqual(filled);
  });
});

describe('a backfill', () => {
  test('survives that any call of it fails, before or after its effect', async () => {
    const model = await createLanded();
    await runSteps(model, whole());
    const counted = whole();
    await fill(model, counted);
    const wrong: string[] = [];
    for (const when of ['before', 'after'] as const) {
      for (const [index, verb] of counted.faults.calls.entries()) {
        const shipment = await createLanded();
        await runSteps(shipment, whole());
        const { watermark } = recordOf(shipment);
        await fill(shipment, faultyMemory([{ call: index + 1, when }]));
        const isRight =
          extras(shipment).join() === filled.join() && recordOf(shipment).watermark === watermark;
        if (!isRight || (await waitingFilling(shipment)))
          wrong.push(`${when} ${index + 1} ${verb}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('makes way for whoever waits and goes on where it was, past rows of one stamp', async () => {
    const shipment = await createLanded();
    await runSteps(shipment, whole());
    const { watermark } = recordOf(shipment);
    const { transferId: waits } = await submitTransfer(metadata.db, {
      environment: 'prod',
      destinationId: shipment.destinationId,
      trigger: 'manual',
      actor: tester,
    });
    let parts = 0;
    while (await waitingFilling(shipment)) {
      parts += 1;
      expect(await fill(shipment, { ...whole(), limits: { batchRowsMax: 1 } })).toMatchObject({
        status: 'SUCCESS',
      });
    }
    // Seven rows of four stamps, the last of which no backfill reads.
    expect(parts).toBeGreaterThan(2);
    expect(parts).toBeLessThan(7);
    expect(extras(shipment)).toEqual(filled);
    expect(recordOf(shipment).watermark).toBe(watermark);
    const scope = { environment: 'prod', id: waits } as const;
    expect(await getTransfer(metadata.db, scope)).toMatchObject({ status: 'PENDING' });
  });

  test('that made way and was killed before it had said so loses nothing', async () => {
    const shipment = await createLanded();
    await runSteps(shipment, whole());
    await submitTransfer(metadata.db, {
      environment: 'prod',
      destinationId: shipment.destinationId,
      trigger: 'manual',
      actor: tester,
    });
    const ref = await openFilling(shipment);
    await planModel(stepDeps(shipment, whole()), ref);
    const deps = stepDeps(shipment, { ...whole(), limits: { batchRowsMax: 1 } });
    const cut = new Proxy(metadata.db, {
      get: (db, name) => {
        if (name === 'transaction') throw new Error('killed');
        return Reflect.get(db, name) as unknown;
      },
    });
    await expect(copySlice({ ...deps, db: cut }, { ...ref, step: 1 })).rejects.toThrow('killed');
    while (await waitingFilling(shipment)) await fill(shipment);
    await copySlice({ ...deps, attempt: 2 }, { ...ref, step: 1 });
    while (await waitingFilling(shipment)) await fill(shipment);
    expect(extras(shipment)).toEqual(filled);
  });

  test('that was killed is followed by another, which begins where it had come to', async () => {
    const shipment = await createLanded();
    await runSteps(shipment, whole());
    const ref = await openFilling(shipment);
    const { connectors } = faultyMemory([{ call: 9, when: 'before' }]);
    await planModel(stepDeps(shipment, whole()), ref);
    await expect(
      copySlice(stepDeps(shipment, { connectors, limits: { batchRowsMax: 1 } }), {
        ...ref,
        step: 1,
      }),
    ).rejects.toThrow();
    const failure = { kind: 'bug', code: 'INTL', blame: 'host', message: 'x', detail: '' } as const;
    await closeTransfer(stepDeps(shipment, whole()), {
      transferId: ref.transferId,
      outcomes: { [ref.modelId]: { status: 'ERROR', failure } },
    });
    expect(extras(shipment)).not.toEqual(empty);
    expect(extras(shipment)).not.toEqual(filled);
    await runSteps(shipment, whole());
    const next = must((await fillings(shipment)).at(-1), 'another backfill');
    expect(next.startWindowAt).not.toBeNull();
    await fill(shipment);
    expect(extras(shipment)).toEqual(filled);
  });

  test('that somebody cancelled does not come back', async () => {
    const shipment = await createLanded();
    await runSteps(shipment, whole());
    const { transferId } = must(await waitingFilling(shipment), 'a backfill');
    await cancelTransfer(metadata.db, { environment: 'prod', id: transferId, actor: tester });
    await runSteps(shipment, whole());
    expect(await waitingFilling(shipment)).toBeUndefined();
    expect(extras(shipment).slice(0, 6)).toEqual(empty.slice(0, 6));
  });

  test('begins anew where another column comes while it waits or runs', async () => {
    const shipment = await createLanded();
    await runSteps(shipment, whole());
    shipment.vendor.transact((draft) => {
      const table = tableOf(draft, source);
      const columns = [...table.columns, memoryColumn('more', 'string')];
      draft.tables.set(source, { ...table, columns });
      changeRows(draft, source, (rows) => rows.map((row) => ({ ...row, more: 'more' })));
    });
    await addColumn(shipment, 'more', {});
    const older = await openFilling(shipment);
    await runOpened(shipment, older, whole());
    await runSteps(shipment, whole());
    await fill(shipment);
    const rows = shipment.customer.rows(shipment.tableName);
    expect(rows.map((row) => row['more'])).toEqual(rows.map(() => 'more'));
    expect(await waitingFilling(shipment)).toBeUndefined();
  });
});
