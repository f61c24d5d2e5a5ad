import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Activities } from '../../activities/activities.ts';
import { createFakeSteps, slice } from './fake-steps.ts';
import { listRuns, startRenewingServer } from './renewing-server.ts';
import { createWorld, type World } from './world.ts';

/** For what takes moments, on a machine that may be busy. */
const soon = { timeout: 20_000 };

let server: Awaited<ReturnType<typeof startRenewingServer>>;
let world: World;

beforeAll(async () => {
  server = await startRenewingServer();
  world = await createWorld(server);
});

afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

test('a model of many slices goes on in new runs, its steps counting on', async () => {
  const slices = 20;
  const { activities, calls, closes } = createFakeSteps(['orders'], {
    copySlice: async ({ step }) => slice(step < slices ? 'slice' : 'done', 1),
  });
  await world.play(activities, async (stage) => {
    const handle = await stage.startTransfer();
    await handle.result();
    const model = `${handle.workflowId}/orders`;
    await expect
      .poll(async () => (await listRuns(stage.client, model)).length, soon)
      .toBeGreaterThan(2);
  });
  const steps = Array.from({ length: slices }, (_, index) => `copySlice orders ${index + 1}`);
  expect(calls).toEqual(['openTransfer', 'planModel orders', ...steps, 'closeTransfer']);
  expect(closes[0]?.outcomes).toEqual({ orders: { status: 'SUCCESS' } });
});

test('a pause and a cancellation reach the run that is open', async () => {
  const stopped: number[] = [];
  const { activities, calls, closes } = createFakeSteps(['orders'], {
    copySlice: async ({ step }) => {
      stopped.push(step);
      await new Promise((resolve) => setTimeout(resolve, 5));
      return slice('slice', 1);
    },
  });
  await world.play(activities, async (stage) => {
    const handle = await stage.startTransfer();
    await expect.poll(() => stopped.length, { timeout: 20_000 }).toBeGreaterThan(12);
    await handle.signal('pause');
    await expect.poll(async () => isStill(calls), { timeout: 20_000, interval: 500 }).toBe(true);
    await handle.signal('resume');
    const before = calls.length;
    await expect.poll(() => calls.length, { timeout: 20_000 }).toBeGreaterThan(before);
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow('cancelled');
  });
  expect(new Set(stopped).size).toBe(stopped.length);
  expect(closes[0]?.outcomes).toEqual({ orders: { status: 'CANCELLED' } });
});

test('a queue that is rung at every moment of its renewal starts every transfer', async () => {
  const waiting = new Set<string>();
  const opened: string[] = [];
  // One is always left to wait, so that the queue never ends by itself.
  const chooseTransfers: Activities['chooseTransfers'] = async () => ({
    starts: [...waiting].map((transferId) => ({
      transferId,
      recipientId: 'r',
      trigger: 'manual',
      summary: 's',
    })),
    waiting: 1,
  });
  const { activities } = createFakeSteps([], {
    chooseTransfers,
    openTransfer: async ({ transferId }) => {
      waiting.delete(transferId);
      opened.push(transferId);
      return undefined;
    },
  });
  const ids = Array.from({ length: 60 }, (_, index) => `transfer-${index}`);
  await world.play(activities, async (stage) => {
    for (const [index, id] of ids.entries()) {
      waiting.add(id);
      await stage.ring('renewed', id);
      await new Promise((resolve) => setTimeout(resolve, (index * 7) % 60));
    }
    await expect.poll(() => opened.length, { timeout: 20_000 }).toBe(ids.length);
    const queue = stage.client.workflow.getHandle('destination/renewed');
    const countRuns = async () => (await listRuns(stage.client, queue.workflowId)).length;
    await expect.poll(countRuns, soon).toBeGreaterThan(2);
    await queue.terminate();
  });
  expect(opened.toSorted()).toEqual(ids.toSorted());
});

/** Whether nothing is called any more. */
async function isStill(calls: readonly string[]): Promise<boolean> {
  const before = calls.length;
  await new Promise((resolve) => setTimeout(resolve, 400));
  return calls.length === before;
}
