import { ScheduleNotFoundError } from '@temporalio/client';
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { reconcileSchedules } from '../../activities/reconcile-schedules.ts';
import type { StepDeps } from '../../activities/deps.ts';
import { listOutdatedSchedules } from '../../db/schedules.ts';
import { destinations } from '../../db/schema.ts';
import { transfers } from '../../db/transfer-schema.ts';
import { createWorkflowPort } from '../../bin/temporal-port.ts';
import { Failure } from '../../domain/failure.ts';
import { workflowIds } from '../../domain/temporal-names.ts';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import type { Customer, Vendor } from '../harness/vendor.ts';
import {
  createCustomer,
  createVendor,
  fill,
  rowsAtCustomer,
  rowsAtSource,
} from '../harness/vendor.ts';

let system: System;
let vendor: Vendor;
let customer: Customer;

beforeAll(async () => {
  system = await createSystem({ hasSchedules: true });
  vendor = await createVendor(system);
  await fill(vendor.sql, 'north', { rows: 50 });
  customer = await createCustomer(system, { vendor, tenant: 'north' });
});

afterAll(async () => {
  await customer[Symbol.asyncDispose]();
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

const handle = (id = customer.destinationId) =>
  system.client.schedule.getHandle(workflowIds.schedule(id));

const patch = (destination: object, id = customer.destinationId) =>
  system.api('PATCH', `/destinations/${id}`, { destination });

async function hasNone(id?: string): Promise<boolean> {
  return await handle(id)
    .describe()
    .then(
      () => false,
      (error: unknown) => error instanceof ScheduleNotFoundError,
    );
}

/** What reconcile does each minute, here and now. */
async function reconcile(): Promise<void> {
  const workflows = createWorkflowPort(system.client, system.temporal.taskQueues);
  const log = { info: () => undefined } as unknown as StepDeps['log'];
  await reconcileSchedules({ db: system.metadata.db, workflows, log } as StepDeps);
}

let lastFired = 0;
const second = () => Math.floor(Date.now() / 1000);

/** Fires the schedule now, as if its time had come: once a second, since two would be one due time. */
async function fire(): Promise<string> {
  await expect.poll(second).toBeGreaterThan(lastFired);
  lastFired = second();
  const before = (await handle().describe()).info.recentActions.length;
  await handle().trigger();
  await expect
    .poll(async () => (await handle().describe()).info.recentActions.length, { timeout: 20_000 })
    .toBeGreaterThan(before);
  const { recentActions } = (await handle().describe()).info;
  const { workflow } = recentActions.at(-1)?.action ?? {};
  await system.client.workflow.getHandle(workflow?.workflowId ?? '').result();
  return workflow?.workflowId ?? '';
}

const scheduled = () =>
  system.metadata.db
    .select({
      id: transfers.id,
      status: transfers.status,
      actorType: transfers.actorType,
      actorId: transfers.actorId,
    })
    .from(transfers)
    .where(
      sql`${transfers.destinationId} = ${customer.destinationId} and ${transfers.trigger} = 'schedule'`,
    );

test('a destination has its schedule from the moment it is made: every day, spread after midnight', async () => {
  const { spec, policies } = await handle().describe();
  const day = 86_400_000;
  expect(spec.intervals?.[0]?.every).toBe(day);
  expect(spec.intervals?.[0]?.offset).toBeLessThan(day * 0.05);
  expect(policies).toMatchObject({ overlap: 'SKIP', catchupWindow: day, pauseOnFailure: false });
});

test('a change of its frequency, cron or of whether it is enabled changes the schedule at once', async () => {
  await patch({ frequency_minutes: '15' });
  expect((await handle().describe()).spec.intervals?.[0]?.every).toBe(900_000);
  await patch({ schedule: { cron: '0 6 * * 1-5', time_zone: 'Europe/Berlin' } });
  const { spec, info } = await handle().describe();
  expect(spec.intervals ?? []).toEqual([]);
  const [next] = info.nextActionTimes;
  const hour = new Intl.DateTimeFormat('en', {
    hour: 'numeric',
    hourCycle: 'h23',
    timeZone: 'Europe/Berlin',
  });
  expect(Number(hour.format(next))).toBe(6);
  await patch({ is_enabled: false });
  expect(await hasNone()).toBe(true);
  await patch({ is_enabled: true, schedule: null, frequency_minutes: 60 });
  expect((await handle().describe()).spec.intervals?.[0]?.every).toBe(3_600_000);
});

test('when its time comes a transfer moves the rows, as the schedule and nobody else', async () => {
  await fire();
  await expect
    .poll(async () => (await scheduled()).map(({ status }) => status), { timeout: 30_000 })
    .toEqual(['SUCCESS']);
  expect((await scheduled())[0]).toMatchObject({ actorType: 'unknown', actorId: '' });
  expect(await rowsAtCustomer(customer)).toEqual(await rowsAtSource(vendor, 'north'));
});

test('while a scheduled transfer has not ended the next is skipped, and its log says so', async () => {
  const { db } = system.metadata;
  const before = await scheduled();
  const [open] = before;
  await db
    .update(transfers)
    .set({ status: 'RUNNING', endedAt: null })
    .where(eq(transfers.id, open?.id ?? ''));
  await fire();
  expect(await scheduled()).toHaveLength(before.length);
  const { transfer } = await system.api<{ transfer: { log: string } }>(
    'GET',
    `/transfers/${open?.id}`,
  );
  expect(transfer.log).toContain('was due and skipped');
  await db
    .update(transfers)
    .set({ status: 'SUCCESS', endedAt: sql`now()` })
    .where(eq(transfers.id, open?.id ?? ''));
});

test('the same time submits one transfer, however often its workflow runs', async () => {
  const workflowId = await fire();
  await expect.poll(async () => (await scheduled()).length, { timeout: 20_000 }).toBe(2);
  await system.client.workflow.execute('scheduledTransfer', {
    workflowId,
    taskQueue: system.temporal.taskQueues.control,
    args: [{ destinationId: customer.destinationId }],
  });
  expect(await scheduled()).toHaveLength(2);
});

test('a new default reaches the destinations that go by it, and no others', async () => {
  await using other = await createCustomer(system, { vendor, tenant: 'other' });
  await system.api('PATCH', '/settings', { settings: { default_frequency_minutes: 360 } });
  await reconcile();
  expect((await handle(other.destinationId).describe()).spec.intervals?.[0]?.every).toBe(
    21_600_000,
  );
  expect((await handle().describe()).spec.intervals?.[0]?.every).toBe(3_600_000);
  await system.api('PATCH', '/settings', { settings: { automatic_transfers: false } });
  await reconcile();
  expect(await hasNone(other.destinationId)).toBe(true);
  expect(await hasNone()).toBe(true);
  await system.api('PATCH', '/settings', { settings: { automatic_transfers: true } });
  await reconcile();
  expect(await hasNone()).toBe(false);
  await system.api('DELETE', `/destinations/${other.destinationId}`);
});

test('a schedule that Temporal has lost is put again, and one that was never told too', async () => {
  await handle().delete();
  await reconcile();
  await reconcile();
  expect(await hasNone()).toBe(false);
  expect(await listOutdatedSchedules(system.metadata.db, 10)).toEqual([]);
});

test('a schedule that Temporal refuses holds up no other, and is told in the next minute', async () => {
  await system.api('PATCH', '/settings', { settings: { default_frequency_minutes: 720 } });
  await using other = await createCustomer(system, { vendor, tenant: 'refused' });
  await system.api('PATCH', '/settings', { settings: { default_frequency_minutes: 360 } });
  const workflows = createWorkflowPort(system.client, system.temporal.taskQueues);
  const putSchedule: typeof workflows.putSchedule = (id, spec) =>
    id === other.destinationId
      ? Promise.reject(new Failure('unavailable', 'Temporal does not answer.'))
      : workflows.putSchedule(id, spec);
  const log = { info: () => undefined } as unknown as StepDeps['log'];
  const refusing = { db: system.metadata.db, workflows: { ...workflows, putSchedule }, log };
  await reconcileSchedules(refusing as unknown as StepDeps);
  expect(await listOutdatedSchedules(system.metadata.db, 10)).toEqual([other.destinationId]);
  await reconcile();
  expect(await listOutdatedSchedules(system.metadata.db, 10)).toEqual([]);
  await system.api('DELETE', `/destinations/${other.destinationId}`);
});

test('all destinations are paused and enabled in one call, and their schedules with them', async () => {
  expect(await system.api('POST', '/actions/pause-all-destinations')).toEqual({ count: 1 });
  expect(await hasNone()).toBe(true);
  expect(await system.api('POST', '/actions/pause-all-destinations')).toEqual({ count: 0 });
  expect(await system.api('POST', '/actions/enable-all-destinations')).toEqual({ count: 1 });
  expect(await hasNone()).toBe(false);
  const { event_logs: entries } = await system.api<{ event_logs: object[] }>(
    'GET',
    '/logs?event_type=DESTINATION_PAUSE_ALL,DESTINATION_ENABLE_ALL',
  );
  expect(entries).toMatchObject([
    { object: { count: 1 } },
    { object: { count: 0 } },
    { object: { count: 1 } },
  ]);
});

test('the schedule goes with its destination, and one that outlived it removes itself', async () => {
  await using gone = await createCustomer(system, { vendor, tenant: 'gone' });
  await system.api('DELETE', `/destinations/${gone.destinationId}`);
  expect(await hasNone(gone.destinationId)).toBe(true);

  await using lost = await createCustomer(system, { vendor, tenant: 'lost' });
  // As after a restore of our database to before the destination was made.
  await system.metadata.db
    .update(destinations)
    .set({ deletedAt: sql`now()` })
    .where(eq(destinations.id, lost.destinationId));
  await handle(lost.destinationId).trigger();
  await expect.poll(() => hasNone(lost.destinationId), { timeout: 20_000 }).toBe(true);
});
