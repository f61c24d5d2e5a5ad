import { afterAll, beforeAll, expect, test } from 'vitest';
import { changeRows, memoryColumn, tableOf } from '../connectors/memory/store.ts';
import { getModel, updateModel } from '../db/models.ts';
import { submitTransfer } from '../db/submit-transfer.ts';
import type { ModelRef } from '../domain/steps.ts';
import { must } from '../lib/must.ts';
import { createMetadata, testAudit, tester, type Metadata } from '../test/harness/metadata.ts';
import { createShipment, faultyMemory, type Shipment } from '../test/harness/shipment.ts';
import { runOpened, runSteps, stepDeps } from '../test/harness/steps.ts';
import { openTransfer } from './open-transfer.ts';

// Transfers start in the order of their submission, so an older revision never comes after a newer one by
// itself; where it does all the same, it takes nothing back.

let metadata: Metadata;

beforeAll(async () => {
  metadata = await createMetadata();
});
afterAll(() => metadata[Symbol.asyncDispose]());

const source = 'shop.orders';
const { connectors } = faultyMemory([]);

/** Puts a row with the column that only the newer revision has. */
function write(shipment: Shipment, id: number, note: string): void {
  shipment.write(id, note);
  shipment.vendor.transact((draft) =>
    changeRows(draft, source, (rows) =>
      rows.map((row) => (row['id'] === String(id) ? { ...row, extra: `extra ${note}` } : row)),
    ),
  );
}

/** A transfer of the older revision that waits, after one of the newer revision has landed. */
async function createOvertaken(isFullRefresh = false) {
  const shipment = await createShipment(metadata);
  const { db } = metadata;
  shipment.vendor.transact((draft) => {
    const table = tableOf(draft, source);
    const columns = [...table.columns, memoryColumn('extra', 'string')];
    draft.tables.set(source, { ...table, columns });
  });
  for (const id of [1, 2, 3]) write(shipment, id, 'first');
  await runSteps(shipment, { connectors });
  const { transferId } = await submitTransfer(db, {
    environment: 'prod',
    destinationId: shipment.destinationId,
    trigger: 'manual',
    isFullRefresh,
    actor: tester,
  });
  const scope = { environment: 'prod', idOrName: shipment.modelId } as const;
  const before = await getModel(db, scope);
  const extra = { name_in_source: 'extra', name_in_destination: 'extra', data_type: 'string' };
  const column = { ...extra, is_primary_key: false, is_last_modified: false };
  const columns = [...before.definition.columns, column];
  const definition = { ...before.definition, columns };
  await updateModel(db, { ...scope, definition, audit: testAudit });
  shipment.vendor.advance(60);
  for (const id of [1, 2, 3]) write(shipment, id, 'second');
  await runSteps(shipment, { connectors });
  const frozen: ModelRef = { transferId, modelId: shipment.modelId };
  return { shipment, frozen, revisionId: before.revisionId };
}

async function runFrozen(shipment: Shipment, frozen: ModelRef) {
  must(await openTransfer(stepDeps(shipment, { connectors }), frozen), 'a transfer to open');
  return runOpened(shipment, frozen, { connectors });
}

const landed = ({ customer, tableName }: Shipment) =>
  customer
    .rows(tableName)
    .map(({ id, note, extra }) => `${id} ${note} ${extra}`)
    .toSorted();

const stored = ({ customer, modelId }: Shipment) =>
  must(customer.snapshot().loads.get(modelId), 'a record');

test.each([
  ['an increment', false],
  ['a full refresh', true],
])('%s that was frozen before the update lands with its own columns', async (_, isFullRefresh) => {
  const { shipment, frozen, revisionId } = await createOvertaken(isFullRefresh);
  shipment.vendor.advance(60);
  write(shipment, 2, 'third');
  const { appliedTable } = stored(shipment);
  const transfer = await runFrozen(shipment, frozen);
  expect(transfer).toMatchObject({ status: 'SUCCESS', models: [{ revisionId }] });
  // The newer column is neither emptied nor forgotten.
  expect(landed(shipment)).toEqual([
    '1 second extra second',
    '2 third extra second',
    '3 second extra second',
  ]);
  const names = (columns: readonly { name: string }[] = []) =>
    columns.map(({ name }) => name).toSorted();
  expect(names(stored(shipment).appliedTable?.columns)).toEqual(names(appliedTable?.columns));
});

test.each([
  ['an increment', false],
  ['a full refresh', true],
])(
  'what %s of an older revision moved is read again with the newer columns',
  async (_, isFullRefresh) => {
    const { shipment, frozen } = await createOvertaken(isFullRefresh);
    shipment.vendor.advance(60);
    write(shipment, 2, 'third');
    shipment.vendor.advance(60);
    const { watermark } = stored(shipment);
    await runFrozen(shipment, frozen);
    expect(stored(shipment).watermark).toBe(watermark);
    shipment.vendor.advance(60);
    write(shipment, 3, 'fourth');
    await runSteps(shipment, { connectors });
    expect(landed(shipment)).toEqual([
      '1 second extra second',
      '2 third extra third',
      '3 fourth extra fourth',
    ]);
  },
);
