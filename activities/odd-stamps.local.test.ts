import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readLogs } from '../db/transfer-log.ts';
import { transferModels } from '../db/transfer-schema.ts';
import { createMetadata, type Metadata } from '../test/harness/metadata.ts';
import { createShipment, faultyMemory, type Shipment } from '../test/harness/shipment.ts';
import { openOne, runSteps, stepDeps } from '../test/harness/steps.ts';
import { planModel } from './plan-model.ts';

let metadata: Metadata;

beforeAll(async () => {
  metadata = await createMetadata();
});

afterAll(() => metadata[Symbol.asyncDispose]());

const idsOf = (shipment: Shipment) => shipment.rowsAtDestination()?.map(({ id }) => id);

describe('rows without a last-modified value', () => {
  async function createUnstamped(wishes = {}): Promise<Shipment> {
    const shipment = await createShipment(metadata, wishes);
    shipment.write(1, 'stamped');
    shipment.write(2, 'unstamped', null);
    return shipment;
  }

  test('are left out and counted in the log, and come once they have one', async () => {
    const shipment = await createUnstamped();
    const { id } = await runSteps(shipment, faultyMemory([]));
    expect(idsOf(shipment)).toEqual(['1']);
    const log = (await readLogs(metadata.db, { transferIds: [id] })).get(id);
    expect(log).toContain('1 row of this recipient without a value in changed left out.');
    shipment.vendor.advance(1);
    shipment.write(2, 'stamped');
    await runSteps(shipment, faultyMemory([]));
    expect(idsOf(shipment)).toEqual(['1', '2']);
  });

  test('fail a model that refuses them before anything is moved', async () => {
    const shipment = await createUnstamped({ null_last_modified: 'refuse' });
    const options = faultyMemory([]);
    const ref = await openOne(shipment, options);
    await expect(planModel(stepDeps(shipment, options), ref)).rejects.toMatchObject({
      code: 'LMOD',
      message: expect.stringContaining('null_last_modified'),
    });
    expect(shipment.rowsAtDestination()).toBeUndefined();
  });
});

describe('a row stamped in the future', () => {
  test('is moved, and rows stamped before it still arrive', async () => {
    const shipment = await createShipment(metadata);
    shipment.write(1, 'far ahead', '2999-01-01 00:00:00.000000+00');
    await runSteps(shipment, faultyMemory([]));
    shipment.vendor.advance(1);
    shipment.write(2, 'now');
    await runSteps(shipment, faultyMemory([]));
    shipment.vendor.advance(1);
    shipment.write(3, 'later');
    await runSteps(shipment, faultyMemory([]));
    expect(shipment.rowsAtDestination()).toEqual(shipment.rowsAtSource());
  });

  test('is read by every transfer until its time has come, and not written again', async () => {
    const shipment = await createShipment(metadata);
    shipment.write(1, 'far ahead', '2999-01-01 00:00:00.000000+00');
    await runSteps(shipment, faultyMemory([]));
    const { id } = await runSteps(shipment, faultyMemory([]));
    const again = metadata.db
      .select()
      .from(transferModels)
      .where(eq(transferModels.transferId, id));
    expect(await again).toMatchObject([{ rows: 1, rowsChanged: 0 }]);
  });
});

describe('an append-only model', () => {
  test('is an upsert like any other here: rows that are read again are not doubled', async () => {
    const lookback = { is_append_only: true, lookback_seconds: 3600 };
    const shipment = await createShipment(metadata, lookback);
    for (const id of [1, 2, 3]) shipment.write(id, 'first');
    await runSteps(shipment, faultyMemory([]));
    shipment.vendor.advance(60);
    shipment.write(2, 'changed all the same');
    const again = await runSteps(shipment, faultyMemory([]));
    expect(again.models).toMatchObject([{ rows: 3 }]);
    expect(shipment.rowsAtDestination()).toEqual(shipment.rowsAtSource());
  });
});
