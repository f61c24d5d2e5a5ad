import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestTemporal } from '../harness/temporal.ts';
import { createTestTemporal } from '../harness/temporal.ts';
import { createFakeSteps, slice } from './fake-steps.ts';
import { createWorld, workUntil } from './world.ts';
import type { World } from './world.ts';

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

const never = new Promise<never>(() => undefined);

describe('the order of steps', () => {
  test('a merge ends with its last slice', async () => {
    const { activities, calls, closes } = createFakeSteps(['orders'], {
      copySlice: async ({ step }) => slice(step < 3 ? 'slice' : 'done', 5),
    });
    await world.play(activities, async (stage) => (await stage.startTransfer()).result());
    expect(calls).toEqual([
      'openTransfer',
      'planModel orders',
      'copySlice orders 1',
      'copySlice orders 2',
      'copySlice orders 3',
      'closeTransfer',
    ]);
    expect(closes[0]?.outcomes).toEqual({ orders: { status: 'SUCCESS' } });
  });

  test('a replace evolves first where it must and publishes under a higher step', async () => {
    const { activities, calls } = createFakeSteps(['orders'], {
      planModel: async () => ({
        mode: 'replace',
        mustEvolve: true,
        windowEnd: undefined,
        summary: 's',
      }),
      copySlice: async () => slice('publish', 5),
    });
    await world.play(activities, async (stage) => (await stage.startTransfer()).result());
    expect(calls).toEqual([
      'openTransfer',
      'planModel orders',
      'evolveSchema orders',
      'copySlice orders 1',
      'finishModel orders 2',
      'closeTransfer',
    ]);
  });

  test('a model that was moved with its plan gets no workflow of its own', async () => {
    const { activities, calls, closes } = createFakeSteps(['orders', 'invoices'], {
      planModel: async ({ modelId }) => ({
        mode: 'merge',
        isDone: modelId === 'orders',
        mustEvolve: false,
        windowEnd: undefined,
        summary: 's',
      }),
    });
    await world.play(activities, async (stage) => {
      const handle = await stage.startTransfer();
      await handle.result();
      const describe = (model: string) =>
        stage.client.workflow.getHandle(`${handle.workflowId}/${model}`).describe();
      await expect(describe('orders')).rejects.toThrow('not found');
      expect((await describe('invoices')).status.name).toBe('COMPLETED');
    });
    expect(calls).toEqual([
      'openTransfer',
      'planModel orders',
      'planModel invoices',
      'copySlice invoices 1',
      'closeTransfer',
    ]);
    expect(closes[0]?.outcomes).toEqual({
      orders: { status: 'SUCCESS' },
      invoices: { status: 'SUCCESS' },
    });
  });

  test('tells the Temporal UI how far it is', async () => {
    const { activities } = createFakeSteps(['orders', 'invoices'], {
      copySlice: async ({ modelId }) => {
        if (modelId === 'orders') throw refused('value_refused', 'No.', ['TYPE']);
        return slice('done', 7);
      },
    });
    await world.play(activities, async (stage) => {
      const handle = await stage.startTransfer();
      await handle.result();
      const phases = async (id: string) => {
        const { typedSearchAttributes } = await stage.client.workflow.getHandle(id).describe();
        return Object.fromEntries(
          typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]),
        );
      };
      expect(await phases(handle.workflowId)).toMatchObject({ TransferPhase: 'failed' });
      expect(await phases(`${handle.workflowId}/invoices`)).toMatchObject({
        TransferPhase: 'done',
        RowsWritten: 7,
        ModelId: 'invoices',
      });
    });
  });

  test('a transfer that is not ours to run runs nothing', async () => {
    const { activities, calls } = createFakeSteps([], { openTransfer: async () => undefined });
    await world.play(activities, async (stage) => (await stage.startTransfer()).result());
    expect(calls).toEqual(['openTransfer']);
  });

  test('no more models at once than the destination allows', async () => {
    let running = 0;
    let most = 0;
    const names = ['a', 'b', 'c', 'd', 'e'];
    const { activities, closes } = createFakeSteps(names, {
      openTransfer: async () => ({
        models: names.map((name) => ({ modelId: name, modelName: name })),
        modelsAtOnce: 2,
      }),
      copySlice: async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 100));
        running -= 1;
        return slice('done', 1);
      },
    });
    await world.play(activities, async (stage) => (await stage.startTransfer()).result());
    expect(most).toBe(2);
    expect(Object.keys(closes[0]?.outcomes ?? {}).sort()).toEqual(names);
  });
});

describe('failures', () => {
  test('a model that fails does not stop the others, and its failure reaches the close', async () => {
    const { activities, calls, closes } = createFakeSteps(['orders', 'invoices'], {
      planModel: async ({ modelId }) => {
        if (modelId === 'orders')
          throw refused('schema_conflict', 'Column a is text.', ['SCHM', '42804']);
        return { mode: 'merge', mustEvolve: false, windowEnd: undefined, summary: 's' };
      },
    });
    await world.play(activities, async (stage) => (await stage.startTransfer()).result());
    expect(calls).toContain('copySlice invoices 1');
    expect(closes[0]?.outcomes).toEqual({
      orders: {
        status: 'ERROR',
        failure: {
          kind: 'schema_conflict',
          code: 'SCHM',
          blame: 'third_party',
          message: 'Column a is text.',
          detail: '42804',
        },
      },
      invoices: { status: 'SUCCESS' },
    });
  });

  test('a failure that may pass is tried again under the same step', async () => {
    let tries = 0;
    const { activities, calls } = createFakeSteps(['orders'], {
      copySlice: async () => {
        tries += 1;
        if (tries === 1) {
          throw ApplicationFailure.create({
            type: 'source_busy',
            message: 'Busy.',
            nextRetryDelay: 10,
          });
        }
        return slice('done', 1);
      },
    });
    await world.play(activities, async (stage) => (await stage.startTransfer()).result());
    expect(calls.filter((call) => call === 'copySlice orders 1')).toHaveLength(2);
  });

  test('an error nobody named is a bug, and its text stays out of the transfer', async () => {
    const { activities, closes } = createFakeSteps(['orders'], {
      copySlice: async () => {
        throw ApplicationFailure.nonRetryable('password=secret', 'Error');
      },
    });
    await world.play(activities, async (stage) => (await stage.startTransfer()).result());
    expect(closes[0]?.outcomes['orders']).toMatchObject({
      status: 'ERROR',
      failure: { kind: 'bug' },
    });
    expect(JSON.stringify(closes)).not.toContain('secret');
  });

  test('a model whose id was used before fails alone', async () => {
    const { activities, closes } = createFakeSteps(['orders', 'invoices']);
    await world.play(activities, async (stage) => {
      const transferId = 'used-before';
      await stage.client.workflow.start('runModel', {
        taskQueue: stage.taskQueues.control,
        workflowId: `transfer/${transferId}/orders`,
        args: [{ transferId, modelId: 'orders', isPaused: true }],
      });
      await (await stage.startTransfer(transferId)).result();
      await stage.client.workflow.getHandle(`transfer/${transferId}/orders`).terminate();
    });
    expect(closes[0]?.outcomes).toMatchObject({
      orders: { status: 'ERROR', failure: { kind: 'bug' } },
      invoices: { status: 'SUCCESS' },
    });
  });
});

describe('cancelling', () => {
  test('during a slice: the slice ends, models that wait never begin, the close says so', async () => {
    const copying = Promise.withResolvers<void>();
    const { activities, calls, closes } = createFakeSteps(['orders', 'invoices'], {
      copySlice: () => {
        copying.resolve();
        return workUntil(never);
      },
    });
    await world.play(activities, async (stage) => {
      const handle = await stage.startTransfer();
      await copying.promise;
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow('cancelled');
      expect((await handle.describe()).status.name).toBe('CANCELLED');
    });
    expect(calls).toEqual([
      'openTransfer',
      'planModel orders',
      'copySlice orders 1',
      'closeTransfer',
    ]);
    expect(closes[0]?.outcomes).toEqual({
      orders: { status: 'CANCELLED' },
      invoices: { status: 'CANCELLED' },
    });
  });

  test('before it has opened: it opens, moves nothing, and closes', async () => {
    const opening = Promise.withResolvers<void>();
    const opened = Promise.withResolvers<void>();
    const { activities, calls, closes } = createFakeSteps(['orders'], {
      // It hears of the cancellation in the task after the one that opens.
      planModel: () => workUntil(never),
      openTransfer: async () => {
        opening.resolve();
        await opened.promise;
        return { models: [{ modelId: 'orders', modelName: 'orders' }], modelsAtOnce: 1 };
      },
    });
    await world.play(activities, async (stage) => {
      const handle = await stage.startTransfer();
      await opening.promise;
      await handle.cancel();
      opened.resolve();
      await expect(handle.result()).rejects.toThrow('cancelled');
    });
    expect(calls).not.toContain('copySlice orders');
    expect(closes[0]?.outcomes).toEqual({ orders: { status: 'CANCELLED' } });
  });

  test('during the close: the end that was reached stands', async () => {
    const closing = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const { activities, closes } = createFakeSteps(['orders'], {
      closeTransfer: async () => {
        closing.resolve();
        await closed.promise;
      },
    });
    await world.play(activities, async (stage) => {
      const handle = await stage.startTransfer();
      await closing.promise;
      await handle.cancel();
      closed.resolve();
      // The task that closes is done again, so that the run says it was cancelled; the transfer does not.
      await expect(handle.result()).rejects.toThrow('cancelled');
    });
    expect(closes.map(({ outcomes }) => outcomes)).toEqual(
      closes.map(() => ({ orders: { status: 'SUCCESS' } })),
    );
  });

  test('while it publishes: what ends during the stop counts as it ended', async () => {
    const publishing = Promise.withResolvers<void>();
    const published = Promise.withResolvers<void>();
    const { activities, closes } = createFakeSteps(['orders'], {
      copySlice: async () => slice('publish', 1),
      finishModel: async () => {
        publishing.resolve();
        await published.promise;
      },
    });
    await world.play(activities, async (stage) => {
      const handle = await stage.startTransfer();
      await publishing.promise;
      await handle.cancel();
      published.resolve();
      await expect(handle.result()).rejects.toThrow('cancelled');
    });
    expect(closes[0]?.outcomes).toEqual({ orders: { status: 'SUCCESS' } });
  });
});

function refused(type: string, message: string, details: readonly string[]): ApplicationFailure {
  return ApplicationFailure.create({ type, message, details: [...details], nonRetryable: true });
}
