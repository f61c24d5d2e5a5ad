import { afterAll, beforeAll, expect, test } from 'vitest';
import { submitTransfer } from '../db/submit-transfer.ts';
import { createMetadata, tester, type Metadata } from '../test/harness/metadata.ts';
import { createShipment, faultyMemory } from '../test/harness/shipment.ts';
import { openOne, stepDeps } from '../test/harness/steps.ts';
import { closeTransfer } from './close-transfer.ts';

let metadata: Metadata;

beforeAll(async () => {
  metadata = await createMetadata();
});

afterAll(() => metadata[Symbol.asyncDispose]());

test('a ring that was lost with its worker is made up for when the step runs again', async () => {
  const shipment = await createShipment(metadata);
  const options = faultyMemory([]);
  const { transferId, modelId } = await openOne(shipment, options);
  const { destinationId } = shipment;
  const waiting = await submitTransfer(metadata.db, {
    environment: 'prod',
    destinationId,
    trigger: 'manual',
    actor: tester,
  });
  const rung: unknown[] = [];
  const deps = stepDeps(shipment, options);
  const workflows = { ...deps.workflows, ring: async (...ids: string[]) => void rung.push(ids) };
  const outcomes = { [modelId]: { status: 'CANCELLED' } } as const;
  await closeTransfer({ ...deps, workflows }, { transferId, outcomes });
  await closeTransfer({ ...deps, workflows }, { transferId, outcomes });
  const ring = [destinationId, waiting.transferId];
  expect(rung).toEqual([ring, ring]);
});
