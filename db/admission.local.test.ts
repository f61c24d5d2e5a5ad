import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeEach, expect, test } from 'vitest';
import type { Metadata } from '../test/harness/metadata.ts';
import {
  createMetadata,
  makeDestination,
  makeModel,
  makeRecipient,
  makeSource,
  testAudit,
  tester,
} from '../test/harness/metadata.ts';
import { admitTransfers, readLine } from './admission.ts';
import { updateEnvironmentSettings } from './environment-settings.ts';
import { staleAfterFailures } from './destination-health.ts';
import { notices, webhooks } from './notice-schema.ts';
import { destinations } from './schema.ts';
import { submitTransfer } from './submit-transfer.ts';
import { endTransfer } from './transfer-runs.ts';
import { transfers } from './transfer-schema.ts';
import { updateSource } from './sources.ts';

let metadata: Metadata | undefined;

/** A database for each test: what others leave waiting would stand in line here. */
beforeEach(async () => {
  await metadata?.[Symbol.asyncDispose]();
  metadata = await createMetadata();
});

afterAll(() => metadata?.[Symbol.asyncDispose]());

const db = () => {
  if (metadata === undefined) throw new Error('no database yet');
  return metadata.db;
};

async function setCap(maxConcurrentTransfers: number): Promise<void> {
  await updateEnvironmentSettings(db(), {
    environment: 'prod',
    change: { maxConcurrentTransfers },
    audit: { actor: tester, present: (settings) => ({ ...settings }) },
  });
}

async function submit(destinationId: string): Promise<string> {
  const request = { environment: 'prod', destinationId, trigger: 'manual', actor: tester } as const;
  return (await submitTransfer(db(), { ...request, isFullRefresh: true })).transferId;
}

async function end(transferId: string, status: 'SUCCESS' | 'ERROR' = 'SUCCESS'): Promise<void> {
  await db().update(transfers).set({ status: 'RUNNING' }).where(eq(transfers.id, transferId));
  await endTransfer(db(), { transferId, from: 'RUNNING', status, error: undefined });
}

const ask = async (one: { destinationId: string; id: string }) =>
  (await admitTransfers(db(), { destinationId: one.destinationId, candidates: [one.id] })).length;

/** So many recipients with a destination each, and a transfer that waits there. */
async function createLine(count: number) {
  const source = await makeSource(db());
  await makeModel(db(), source);
  const line = [];
  for (let n = 0; n < count; n += 1) {
    const destination = await makeDestination(db(), await makeRecipient(db()));
    line.push({ destinationId: destination.id, id: await submit(destination.id) });
  }
  return { source, line };
}

test('however many ask at once, no more get a slot than there are', async () => {
  await setCap(3);
  const { line } = await createLine(12);
  const got = await Promise.all(line.map(ask));
  expect(got.filter((count) => count === 1)).toHaveLength(3);
  expect(got.slice(0, 3)).toEqual([1, 1, 1]);
  expect(await readLine(db(), 'prod')).toEqual([]);
});

test('who was let in is let in when he asks again, and takes no second slot', async () => {
  await setCap(1);
  const { line } = await createLine(2);
  const [first, second] = line;
  if (!first || !second) throw new Error('no line');
  expect(await ask(first)).toBe(1);
  expect(await ask(second)).toBe(0);
  await end(first.id);
  expect(await readLine(db(), 'prod')).toEqual([second]);
  expect(await ask(second)).toBe(1);
});

test('a recipient with many destinations does not keep another waiting', async () => {
  await setCap(2);
  await makeModel(db(), await makeSource(db()));
  const large = await makeRecipient(db());
  const many = [];
  for (let n = 0; n < 8; n += 1) {
    const { id } = await makeDestination(db(), large);
    many.push({ destinationId: id, id: await submit(id) });
  }
  const small = await makeDestination(db(), await makeRecipient(db()));
  const late = { destinationId: small.id, id: await submit(small.id) };
  const line = await readLine(db(), 'prod');
  expect(line).toEqual([many[0], late]);
});

test('a source with a cap of its own is read by no more than that', async () => {
  await setCap(10);
  const { source, line } = await createLine(3);
  await updateSource(db(), {
    environment: 'prod',
    id: source.id,
    maxConcurrentTransfers: 1,
    audit: testAudit,
  });
  const got = [];
  for (const one of line) got.push(await ask(one));
  expect(got).toEqual([1, 0, 0]);
});

test('ten failures in a row make a destination stale, once, and a success makes it sound', async () => {
  const { line } = await createLine(1);
  const destinationId = line[0]?.destinationId ?? '';
  await db()
    .insert(webhooks)
    .values({
      id: destinationId,
      environment: 'prod',
      name: 'w',
      vendor: 'generic_post',
      url: 'https://example.com',
      events: ['destination.stale'],
      isEnabled: true,
    });
  await end(line[0]?.id ?? '', 'ERROR');
  for (let n = 1; n < staleAfterFailures + 2; n += 1) {
    const [before] = await db()
      .select()
      .from(destinations)
      .where(eq(destinations.id, destinationId));
    expect(before?.staleSince === null, `after ${n}`).toBe(n < staleAfterFailures);
    await end(await submit(destinationId), 'ERROR');
  }
  const [told] = await db()
    .select({ count: sql<number>`count(*)::int` })
    .from(notices);
  expect(told?.count).toBe(1);
  await end(await submit(destinationId));
  const [sound] = await db().select().from(destinations).where(eq(destinations.id, destinationId));
  expect(sound).toMatchObject({ consecutiveFailures: 0, staleSince: null });
});
