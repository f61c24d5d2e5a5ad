import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestTemporal } from '../harness/temporal.ts';
import { createTestTemporal } from '../harness/temporal.ts';
import { createFakeSteps, slice } from './fake-steps.ts';
import { createWorld, workUntil } from './world.ts';
import type { World } from './world.ts';

/** For what takes moments, on a machine that may be busy. */
const soon = { timeout: 20_000 };

let temporal: TestTemporal;
let world: World;

beforeAll(async () => {
  temporal = await createTestTemporal();
  world = await createWorld(temporal);
});

afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await temporal[Symbol.asyncDispose]();
});

/** A transfer of one model whose first slice works until it is stopped; `stopped` tells when it was. */
function createStoppable() {
  const copying = Promise.withResolvers<void>();
  const stopped = Promise.withResolvers<void>();
  const mayStop = Promise.withResolvers<void>();
  const fake = createFakeSteps(['orders'], {
    copySlice: async ({ step }) => {
      if (step > 1) return slice('done', 1);
      copying.resolve();
      try {
        return await workUntil(new Promise<never>(() => undefined));
      } finally {
        stopped.resolve();
        await mayStop.promise;
      }
    },
  });
  return { ...fake, copying: copying.promise, stopped: stopped.promise, letStop: mayStop.resolve };
}

test('a pause stops the slice, nothing runs until the resume, and the next slice ranks higher', async () => {
  const { activities, calls, closes, copying, stopped, letStop } = createStoppable();
  letStop();
  await world.play(activities, async (stage) => {
    const handle = await stage.startTransfer();
    await copying;
    await handle.signal('pause');
    await stopped;
    const model = stage.client.workflow.getHandle(`${handle.workflowId}/orders`);
    await expect.poll(() => currentDetails(model), soon).toContain('paused: waits for resume');
    expect(calls).toEqual(['openTransfer', 'planModel orders', 'copySlice orders 1']);
    await handle.signal('resume');
    await handle.result();
  });
  expect(calls.slice(3)).toEqual(['copySlice orders 2', 'closeTransfer']);
  expect(closes[0]?.outcomes).toEqual({ orders: { status: 'SUCCESS' } });
});

test('a resume that comes before the slice has stopped does not cancel the model', async () => {
  const { activities, calls, closes, copying, stopped, letStop } = createStoppable();
  await world.play(activities, async (stage) => {
    const handle = await stage.startTransfer();
    await copying;
    await handle.signal('pause');
    await stopped;
    await handle.signal('resume');
    letStop();
    await handle.result();
  });
  expect(calls).toContain('copySlice orders 2');
  expect(closes[0]?.outcomes).toEqual({ orders: { status: 'SUCCESS' } });
});

test('a model that is paused before its first slice copies nothing', async () => {
  const planning = Promise.withResolvers<void>();
  const planned = Promise.withResolvers<void>();
  const { activities, calls } = createFakeSteps(['orders'], {
    planModel: async () => {
      planning.resolve();
      await planned.promise;
      return { mode: 'merge', mustEvolve: false, windowEnd: undefined, summary: 'plan' };
    },
  });
  await world.play(activities, async (stage) => {
    const handle = await stage.startTransfer();
    await planning.promise;
    await handle.signal('pause');
    const model = stage.client.workflow.getHandle(`${handle.workflowId}/orders`);
    planned.resolve();
    await expect.poll(() => currentDetails(model), soon).toContain('paused');
    expect(calls).toEqual(['openTransfer', 'planModel orders']);
    await handle.signal('resume');
    await handle.result();
  });
  expect(calls).toContain('copySlice orders 1');
});

test('a model that is planned during a pause is not moved with its plan', async () => {
  const paused = Promise.withResolvers<void>();
  const mayMove: (boolean | undefined)[] = [];
  const { activities, calls } = createFakeSteps(['orders', 'invoices'], {
    planModel: async (ref) => {
      mayMove.push(ref.mayMove);
      if (ref.modelId === 'orders') await paused.promise;
      const isDone = ref.mayMove === true;
      return { mode: 'merge', isDone, mustEvolve: false, windowEnd: undefined, summary: 'plan' };
    },
  });
  await world.play(activities, async (stage) => {
    const handle = await stage.startTransfer();
    await expect.poll(() => mayMove.length, soon).toBe(1);
    await handle.signal('pause');
    paused.resolve();
    const model = stage.client.workflow.getHandle(`${handle.workflowId}/invoices`);
    await expect.poll(() => currentDetails(model), soon).toContain('paused');
    await handle.signal('resume');
    await handle.result();
  });
  expect(mayMove).toEqual([true, false]);
  expect(calls.slice(-2)).toEqual(['copySlice invoices 1', 'closeTransfer']);
});

test('a pause that comes while models are planned holds before any of them copies', async () => {
  const planning = Promise.withResolvers<void>();
  const planned = Promise.withResolvers<void>();
  const { activities, calls } = createFakeSteps(['orders', 'invoices'], {
    openTransfer: async () => {
      const models = ['orders', 'invoices'].map((name) => ({ modelId: name, modelName: name }));
      return { models, modelsAtOnce: 2 };
    },
    planModel: async () => {
      planning.resolve();
      await planned.promise;
      return { mode: 'merge', mustEvolve: false, windowEnd: undefined, summary: 'plan' };
    },
  });
  await world.play(activities, async (stage) => {
    const handle = await stage.startTransfer();
    await planning.promise;
    await handle.signal('pause');
    const models = ['orders', 'invoices'].map((name) =>
      stage.client.workflow.getHandle(`${handle.workflowId}/${name}`),
    );
    planned.resolve();
    for (const model of models)
      await expect.poll(() => currentDetails(model), soon).toContain('paused');
    expect(calls.filter((call) => call.startsWith('copySlice'))).toEqual([]);
    await handle.signal('resume');
    await handle.result();
  });
  expect(calls.filter((call) => call.startsWith('copySlice'))).toHaveLength(2);
});

test('pauses and resumes in quick succession leave it going', async () => {
  const { activities, closes, calls } = createFakeSteps(['orders'], {
    copySlice: ({ step }) => workUntil(wait(100)).then(() => slice(step < 4 ? 'slice' : 'done', 1)),
  });
  await world.play(activities, async (stage) => {
    const handle = await stage.startTransfer();
    for (let count = 0; count < 10; count += 1) {
      await handle.signal('pause');
      await handle.signal('resume');
    }
    await handle.result();
  });
  expect(closes[0]?.outcomes).toEqual({ orders: { status: 'SUCCESS' } });
  const steps = calls
    .filter((call) => call.startsWith('copySlice'))
    .map((call) => call.split(' ')[2]);
  expect(new Set(steps).size).toBe(steps.length);
});

test('a paused transfer can be cancelled', async () => {
  const { activities, closes, copying, stopped, letStop } = createStoppable();
  letStop();
  await world.play(activities, async (stage) => {
    const handle = await stage.startTransfer();
    await copying;
    await handle.signal('pause');
    await stopped;
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow('cancelled');
  });
  expect(closes[0]?.outcomes).toEqual({ orders: { status: 'CANCELLED' } });
});

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The text that the Temporal UI shows; answered by a worker. */
async function currentDetails(model: {
  query: (name: string) => Promise<unknown>;
}): Promise<string> {
  return JSON.stringify(await model.query('__temporal_workflow_metadata').catch(() => ''));
}
