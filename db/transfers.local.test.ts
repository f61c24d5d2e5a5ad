import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Failure, toErrorObject } from '../domain/failure.ts';
import type { Metadata } from '../test/harness/metadata.ts';
import {
  createMetadata,
  makeDestination,
  makeModel,
  makeRecipient,
  makeVendor,
  testAudit,
  tester,
  unique,
} from '../test/harness/metadata.ts';
import { cancelTransfer } from './cancel-transfer.ts';
import type { Database } from './database.ts';
import { deleteDestination, updateDestination } from './destinations.ts';
import { updateModel } from './models.ts';
import { updateProduct } from './products.ts';
import { transfers } from './transfer-schema.ts';
import { submitTransfer, type TransferRequest } from './submit-transfer.ts';
import { appendLog, logLinesMax, readLogs } from './transfer-log.ts';
import { closeModels } from './transfer-runs.ts';
import { getTransfer, lastCompletedTransfers, listTransfers, setPaused } from './transfers.ts';

let metadata: Metadata;
let db: Database;

beforeAll(async () => {
  metadata = await createMetadata();
  ({ db } = metadata);
});

afterAll(async () => {
  await metadata[Symbol.asyncDispose]();
});

type Vendor = Awaited<ReturnType<typeof makeVendor>>;

function submit(vendor: Vendor, more: Partial<TransferRequest> = {}) {
  return submitTransfer(db, {
    environment: vendor.environment,
    destinationId: vendor.destination.id,
    trigger: 'manual',
    actor: tester,
    ...more,
  });
}

async function setStatus(id: string, status: 'RUNNING' | 'SUCCESS'): Promise<void> {
  const endedAt = status === 'SUCCESS' ? sql`clock_timestamp()` : null;
  await db.update(transfers).set({ status, endedAt }).where(eq(transfers.id, id));
}

test('a transfer keeps the models, the tenant and the window that it was submitted with', async () => {
  const vendor = await makeVendor(db);
  const { transferId } = await submit(vendor, {
    startWindowAt: '2026-01-01T00:00:00.000001+01:00',
    tags: { team: 'billing' },
  });
  await updateModel(db, {
    environment: 'prod',
    idOrName: vendor.model.id,
    definition: { ...vendor.model.definition, description: 'later' },
    audit: testAudit,
  });
  const transfer = await getTransfer(db, { environment: 'prod', id: transferId });
  expect(transfer).toMatchObject({
    status: 'PENDING',
    tenantId: vendor.recipient.idInProviderSystem,
    startWindowAt: '2025-12-31 23:00:00.000001+00',
    endWindowAt: null,
    tags: { team: 'billing' },
    models: [{ modelId: vendor.model.id, revisionId: vendor.model.revisionId, position: 0 }],
  });
});

test('an empty window, an unknown model and a disabled destination are refused, and leave nothing', async () => {
  const vendor = await makeVendor(db);
  const at = '2026-01-01T00:00:00Z';
  await expect(submit(vendor, { startWindowAt: at, endWindowAt: at })).rejects.toMatchObject({
    kind: 'invalid',
  });
  await expect(submit(vendor, { models: [vendor.model.name, 'nothing'] })).rejects.toMatchObject({
    kind: 'invalid',
    violations: [{ path: 'models[1]' }],
  });
  await updateDestination(db, {
    environment: 'prod',
    id: vendor.destination.id,
    isEnabled: false,
    audit: testAudit,
  });
  await expect(submit(vendor)).rejects.toMatchObject({ kind: 'conflict' });
  const page = { pageSize: 10, order: 'desc' } as const;
  const destinationId = vendor.destination.id;
  const { items } = await listTransfers(db, { environment: 'prod', destinationId, page });
  expect(items).toEqual([]);
});

test('of many racing requests with one idempotency key one transfer comes', async () => {
  const vendor = await makeVendor(db);
  const idempotency = { key: unique('key'), bodyHash: 'a' };
  const all = await Promise.all(Array.from({ length: 8 }, () => submit(vendor, { idempotency })));
  expect(new Set(all.map(({ transferId }) => transferId)).size).toBe(1);
  expect(all.filter(({ outcome }) => outcome === 'submitted')).toHaveLength(1);
  const other = submit(vendor, { idempotency: { ...idempotency, bodyHash: 'b' } });
  await expect(other).rejects.toMatchObject({ kind: 'conflict' });
});

test('an idempotency key of one environment means nothing in the other, nor after a day', async () => {
  const [prod, staging] = [await makeVendor(db), await makeVendor(db, 'staging')];
  const idempotency = { key: unique('key'), bodyHash: 'a' };
  const first = await submit(prod, { idempotency });
  expect(await submit(staging, { idempotency })).toMatchObject({ outcome: 'submitted' });
  await db.execute(sql`
    update idempotency_keys set created_at = now() - interval '25 hours' where key = ${idempotency.key}
  `);
  const later = await submit(prod, { idempotency, tags: { again: 'yes' } });
  expect(later.outcome).toBe('submitted');
  expect(later.transferId).not.toBe(first.transferId);
});

test('a refused request leaves its idempotency key free', async () => {
  const vendor = await makeVendor(db);
  const idempotency = { key: unique('key'), bodyHash: 'a' };
  await expect(submit(vendor, { idempotency, models: ['nothing'] })).rejects.toThrow();
  const again = await submit(vendor, { idempotency: { ...idempotency, bodyHash: 'b' } });
  expect(again.outcome).toBe('submitted');
});

test('of racing requests for the same rows one waits and the others end as its duplicates', async () => {
  const vendor = await makeVendor(db);
  const all = await Promise.all(Array.from({ length: 6 }, () => submit(vendor)));
  const [waiting, ...more] = all.filter(({ outcome }) => outcome === 'submitted');
  expect(more).toEqual([]);
  const duplicate = all.find(({ outcome }) => outcome === 'duplicate');
  const id = duplicate?.transferId ?? '';
  expect(await getTransfer(db, { environment: 'prod', id })).toMatchObject({
    status: 'CANCELLED',
    endedAt: expect.any(Date),
    models: [{ status: 'CANCELLED' }],
  });
  const logs = await readLogs(db, { transferIds: [id] });
  expect(logs.get(id)).toContain(waiting?.transferId);
});

test('a transfer with a window, tags, another kind or a newer revision is no duplicate', async () => {
  const vendor = await makeVendor(db);
  await submit(vendor);
  const others = [
    await submit(vendor, { endWindowAt: '2026-01-01T00:00:00Z' }),
    await submit(vendor, { tags: { why: 'because' } }),
    await submit(vendor, { isFullRefresh: true }),
  ];
  expect(others.map(({ outcome }) => outcome)).toEqual(['submitted', 'submitted', 'submitted']);
  await updateModel(db, {
    environment: 'prod',
    idOrName: vendor.model.id,
    definition: { ...vendor.model.definition, description: 'newer' },
    audit: testAudit,
  });
  expect(await submit(vendor)).toMatchObject({ outcome: 'submitted' });
});

test('a schedule submits nothing while its previous transfer has not ended', async () => {
  const vendor = await makeVendor(db);
  const first = await submit(vendor, { trigger: 'schedule' });
  await setStatus(first.transferId, 'RUNNING');
  expect(await submit(vendor, { trigger: 'schedule' })).toEqual({
    outcome: 'skipped',
    transferId: first.transferId,
  });
  await setStatus(first.transferId, 'SUCCESS');
  expect(await submit(vendor, { trigger: 'schedule' })).toMatchObject({ outcome: 'submitted' });
});

test('only enabled models of the recipient travel, and a chosen one alone', async () => {
  const vendor = await makeVendor(db, 'staging');
  const second = await makeModel(db, vendor.source);
  await updateProduct(db, {
    environment: 'staging',
    name: vendor.product.name,
    models: [vendor.model.name, second.name],
    audit: testAudit,
  });
  const only = await makeDestination(db, vendor.recipient, {
    enabledModels: [second.name, 'gone'],
  });
  const narrow = await submit({ ...vendor, destination: only });
  const chosen = await submit(vendor, { models: [second.name] });
  for (const { transferId } of [narrow, chosen]) {
    const { models } = await getTransfer(db, { environment: 'staging', id: transferId });
    expect(models.map(({ modelName }) => modelName)).toEqual([second.name]);
  }
});

test('a waiting transfer is cancelled at once, a running one is asked, an ended one refuses', async () => {
  const vendor = await makeVendor(db);
  const [a, b] = [await submit(vendor), await submit(vendor, { isFullRefresh: true })];
  const cancel = (id: string) => cancelTransfer(db, { environment: 'prod', id, actor: tester });
  expect(await cancel(a.transferId)).toMatchObject({
    status: 'CANCELLED',
    models: [{ status: 'CANCELLED' }],
  });
  await setStatus(b.transferId, 'RUNNING');
  const asked = await cancel(b.transferId);
  expect(asked).toMatchObject({ status: 'RUNNING', cancelRequestedAt: expect.any(Date) });
  expect(await cancel(b.transferId)).toEqual(asked);
  await expect(cancel(a.transferId)).rejects.toMatchObject({ kind: 'conflict' });
});

test('cancelling that races with the start of a transfer loses no request', async () => {
  for (let round = 0; round < 10; round++) {
    const vendor = await makeVendor(db);
    const { transferId: id } = await submit(vendor);
    const start = db
      .update(transfers)
      .set({ status: 'RUNNING' })
      .where(sql`${transfers.id} = ${id} and ${transfers.status} = 'PENDING'`);
    await Promise.all([start, cancelTransfer(db, { environment: 'prod', id, actor: tester })]);
    const transfer = await getTransfer(db, { environment: 'prod', id });
    expect(transfer.cancelRequestedAt).not.toBeNull();
  }
});

test('deleting a destination ends what waits and asks what runs to stop', async () => {
  const vendor = await makeVendor(db);
  const [running, waiting] = [await submit(vendor), await submit(vendor, { isFullRefresh: true })];
  await setStatus(running.transferId, 'RUNNING');
  const { id } = vendor.destination;
  const result = await deleteDestination(db, { environment: 'prod', id, audit: testAudit });
  expect(result).toEqual({ cancelledIds: [waiting.transferId], stoppingIds: [running.transferId] });
  await expect(submit(vendor)).rejects.toMatchObject({ kind: 'not_found' });
});

test('disabling a destination ends what waits and lets what runs go on', async () => {
  const vendor = await makeVendor(db);
  const [running, waiting] = [await submit(vendor), await submit(vendor, { isFullRefresh: true })];
  await setStatus(running.transferId, 'RUNNING');
  const { id } = vendor.destination;
  await updateDestination(db, { environment: 'prod', id, isEnabled: false, audit: testAudit });
  const statusOf = async (transferId: string) =>
    (await getTransfer(db, { environment: 'prod', id: transferId })).status;
  expect(await statusOf(waiting.transferId)).toBe('CANCELLED');
  expect(await statusOf(running.transferId)).toBe('RUNNING');
});

test('no verb reaches a transfer of another environment or recipient', async () => {
  const vendor = await makeVendor(db);
  const other = await makeRecipient(db);
  const { transferId: id } = await submit(vendor);
  const page = { pageSize: 10, order: 'desc' } as const;
  const destinationId = vendor.destination.id;
  for (const scope of [
    { environment: 'staging' as const },
    { environment: 'prod' as const, recipientId: other.id },
  ]) {
    await expect(getTransfer(db, { ...scope, id })).rejects.toMatchObject({ kind: 'not_found' });
    await expect(cancelTransfer(db, { ...scope, id, actor: tester })).rejects.toMatchObject({
      kind: 'not_found',
    });
    await expect(setPaused(db, { ...scope, id, isPaused: true })).rejects.toMatchObject({
      kind: 'not_found',
    });
    expect((await listTransfers(db, { ...scope, destinationId, page })).items).toEqual([]);
    await expect(submit(vendor, scope)).rejects.toMatchObject({ kind: 'not_found' });
  }
  await expect(getTransfer(db, { environment: 'prod', id: 'no uuid' })).rejects.toMatchObject({
    kind: 'not_found',
  });
});

test('only a running transfer can be paused', async () => {
  const vendor = await makeVendor(db);
  const { transferId: id } = await submit(vendor);
  const pause = () => setPaused(db, { environment: 'prod', id, isPaused: true });
  await expect(pause()).rejects.toMatchObject({ kind: 'conflict' });
  await setStatus(id, 'RUNNING');
  expect(await pause()).toMatchObject({ status: 'RUNNING', isPaused: true });
});

test('filters narrow the list, and the last one that ended is found per destination', async () => {
  const vendor = await makeVendor(db);
  const a = await submit(vendor, { tags: { a: '1', b: '2' } });
  const b = await submit(vendor, { isFullRefresh: true });
  await setStatus(a.transferId, 'SUCCESS');
  const { id: destinationId } = vendor.destination;
  const page = { pageSize: 10, order: 'asc' } as const;
  const list = async (filters: object) => {
    const found = await listTransfers(db, { environment: 'prod', destinationId, page, ...filters });
    return found.items.map(({ id }) => id);
  };
  expect(await list({})).toEqual([a.transferId, b.transferId]);
  expect(await list({ statuses: ['SUCCESS', 'ERROR'] })).toEqual([a.transferId]);
  expect(await list({ tags: { b: '2' } })).toEqual([a.transferId]);
  expect(await list({ tags: { b: '3' } })).toEqual([]);
  const { endedAt } = await getTransfer(db, { environment: 'prod', id: a.transferId });
  const after = new Date((endedAt?.getTime() ?? 0) + 1);
  expect(await list({ endedBefore: after })).toEqual([a.transferId]);
  expect(await list({ endedAfter: after })).toEqual([]);
  const last = await lastCompletedTransfers(db, {
    environment: 'prod',
    destinationIds: [destinationId],
  });
  expect(last.get(destinationId)?.id).toBe(a.transferId);
});

test('the log shows its newest lines, and debug lines only where they were asked for', async () => {
  const vendor = await makeVendor(db);
  const quiet = await submit(vendor);
  const loud = await submit(vendor, { isDebugMode: true, isFullRefresh: true });
  for (const { transferId } of [quiet, loud]) {
    await appendLog(db, { transferId, line: 'select …', isDebug: true });
  }
  const logs = await readLogs(db, { transferIds: [quiet.transferId, loud.transferId] });
  expect(logs.get(quiet.transferId)).not.toContain('select');
  expect(logs.get(loud.transferId)).toMatch(/^\d{4}-.*Z Submitted \(manual\).*\n.*Z select …$/);
  await db.execute(sql`
    insert into transfer_log (transfer_id, line, is_debug)
    select ${quiet.transferId}::uuid, 'line ' || n, false from generate_series(1, 2000) as n
  `);
  const lines = (await readLogs(db, { transferIds: [quiet.transferId] }))
    .get(quiet.transferId)
    ?.split('\n');
  expect(lines).toHaveLength(logLinesMax + 1);
  expect(lines?.at(-1)).toContain('line 2000');
});

test('a list neither repeats nor skips transfers while others are submitted', async () => {
  const vendor = await makeVendor(db);
  const ids: string[] = [];
  for (let n = 0; n < 7; n++) {
    ids.push((await submit(vendor, { tags: { n: String(n) } })).transferId);
  }
  // Equal to the microsecond: the id decides.
  await db.execute(sql`
    update transfers set submitted_at = '2026-01-02 03:04:05.000006+00'
    where destination_id = ${vendor.destination.id}
  `);
  const { id: destinationId } = vendor.destination;
  const seen: string[] = [];
  let after: { id: string; value: string } | undefined;
  do {
    const page = { pageSize: 2, order: 'desc', after } as const;
    const found = await listTransfers(db, { environment: 'prod', destinationId, page });
    seen.push(...found.items.map(({ id }) => id));
    after = found.next;
    await submit(vendor, { tags: { late: String(seen.length) } });
  } while (after);
  expect(seen).toEqual(ids.toReversed());
});

test('the log says once why a model failed', async () => {
  const vendor = await makeVendor(db);
  const { transferId } = await submit(vendor);
  const error = toErrorObject(new Failure('source_mismatch', 'There is no table.'));
  const outcomes = new Map([[vendor.model.id, { status: 'ERROR' as const, error }]]);
  const ended = [{ status: 'ERROR', hasWindows: false }];
  expect(await closeModels(db, transferId, outcomes)).toEqual(ended);
  expect(await closeModels(db, transferId, outcomes)).toEqual(ended);
  const log = (await readLogs(db, { transferIds: [transferId] })).get(transferId) ?? '';
  const line = `${vendor.model.name}: failed (WBL-QRYX). There is no table.`;
  expect(log.split(line)).toHaveLength(2);
});
