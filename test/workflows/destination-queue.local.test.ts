import { ApplicationFailure } from '@temporalio/common';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Activities } from '../../activities/activities.ts';
import type { QueueChoice } from '../../domain/steps.ts';
import { chooseStarts } from '../../domain/transfer-queue.ts';
import type { TestTemporal } from '../harness/temporal.ts';
import { createTestTemporal } from '../harness/temporal.ts';
import { createFakeSteps, slice } from './fake-steps.ts';
import { createWorld } from './world.ts';
import type { Stage, World } from './world.ts';

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

interface Row {
  readonly id: string;
  readonly modelIds: readonly string[];
  readonly submittedAt: Date;
  readonly isBackfill: boolean;
  status: 'PENDING' | 'RUNNING' | 'DONE';
}

/** The rows of one destination in memory, and the steps that read and write them as the real ones do. */
function createRows(concurrencyMax: number, stageOf: () => Stage | undefined) {
  const destinationId = randomUUID();
  const rows: Row[] = [];
  const overlaps: string[] = [];
  const having = (status: Row['status']) => rows.filter((row) => row.status === status);
  const chooseTransfers = async (): Promise<QueueChoice> => {
    const waiting = having('PENDING');
    const chosen = chooseStarts({ waiting, running: having('RUNNING'), concurrencyMax });
    const starts = chosen.map((transferId) => ({
      transferId,
      recipientId: 'r',
      trigger: 'manual',
      summary: 's',
    }));
    return { starts, waiting: waiting.length - starts.length };
  };
  const replaced: Partial<Activities> = {
    chooseTransfers,
    openTransfer: async ({ transferId }) => {
      const row = rows.find(({ id, status }) => id === transferId && status === 'PENDING');
      if (row === undefined) return undefined;
      row.status = 'RUNNING';
      const taken = having('RUNNING').flatMap(({ modelIds }) => modelIds);
      if (new Set(taken).size < taken.length || having('RUNNING').length > concurrencyMax) {
        overlaps.push(transferId);
      }
      return {
        models: row.modelIds.map((id) => ({ modelId: id, modelName: id })),
        modelsAtOnce: 2,
      };
    },
    closeTransfer: async ({ transferId }) => {
      for (const row of rows) if (row.id === transferId) row.status = 'DONE';
      const [next] = having('PENDING');
      if (next !== undefined) await stageOf()?.ring(destinationId, next.id);
    },
  };
  const submit = (modelIds: readonly string[]): string => {
    const id = randomUUID();
    rows.push({
      id,
      modelIds,
      submittedAt: new Date(rows.length),
      isBackfill: false,
      status: 'PENDING',
    });
    return id;
  };
  return { destinationId, rows, overlaps, replaced, submit, having };
}

/** Plays with rows whose steps need the stage that only exists once the workers run. */
async function playQueue(
  concurrencyMax: number,
  work: (stage: Stage, rows: ReturnType<typeof createRows>) => Promise<void>,
): Promise<ReturnType<typeof createRows> & { calls: string[] }> {
  let stage: Stage | undefined;
  const rows = createRows(concurrencyMax, () => stage);
  const fake = createFakeSteps([], { ...rows.replaced, copySlice: async () => slice('done', 1) });
  await world.play(fake.activities, async (given) => {
    stage = given;
    await work(given, rows);
  });
  return { ...rows, calls: fake.calls };
}

test('never two at once that share a model, and no more than allowed', async () => {
  const wanted = [['a', 'b'], ['b', 'c'], ['c'], ['d'], ['a'], ['d', 'b']];
  const { rows, overlaps } = await playQueue(
    3,
    async (stage, { destinationId, submit, having }) => {
      for (const modelIds of wanted) await stage.ring(destinationId, submit(modelIds));
      await expect.poll(() => having('DONE').length, { timeout: 20_000 }).toBe(wanted.length);
    },
  );
  expect(overlaps).toEqual([]);
  expect(rows).toHaveLength(wanted.length);
});

test('a transfer rung for twice runs once', async () => {
  const { calls } = await playQueue(1, async (stage, { destinationId, submit, having }) => {
    const id = submit(['a']);
    await Promise.all(Array.from({ length: 5 }, () => stage.ring(destinationId, id)));
    await expect.poll(() => having('DONE').length, soon).toBe(1);
    await (await stage.ring(destinationId, id)).result();
  });
  expect(calls.filter((call) => call === 'closeTransfer')).toHaveLength(1);
});

test('a ring while the queue is ending is never lost', async () => {
  const submissions = 100;
  const rows = createRows(submissions, () => undefined);
  const { activities } = createFakeSteps([], {
    ...rows.replaced,
    // Done once it is opened: what matters here is only that it was started.
    openTransfer: async ({ transferId }) => {
      for (const row of rows.rows) if (row.id === transferId) row.status = 'DONE';
      return undefined;
    },
  });
  await world.play(activities, async (stage) => {
    for (let count = 1; count <= submissions; count += 1) {
      // The queue ends as soon as it has started this transfer: the next ring meets it at every moment
      // of that.
      await stage.ring(rows.destinationId, rows.submit([`model ${count}`]));
      await wait((count * 7) % 120);
    }
    await expect.poll(() => rows.having('DONE').length, { timeout: 30_000 }).toBe(submissions);
  });
});

test('the queue ends when nothing waits, though a transfer still runs', async () => {
  const copying = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  let stage: Stage | undefined;
  const rows = createRows(1, () => stage);
  const { activities } = createFakeSteps([], {
    ...rows.replaced,
    copySlice: async () => {
      copying.resolve();
      await release.promise;
      return slice('done', 1);
    },
  });
  await world.play(activities, async (given) => {
    stage = given;
    const queue = await given.ring(rows.destinationId, rows.submit(['a']));
    await Promise.all([queue.result(), copying.promise]);
    release.resolve();
    await expect.poll(() => rows.having('DONE').length, soon).toBe(1);
  });
});

test('a choice that fails for good does not end the queue: it looks again when rung', async () => {
  let isBroken = true;
  let stage: Stage | undefined;
  const rows = createRows(1, () => stage);
  const { chooseTransfers } = rows.replaced;
  const { activities, calls } = createFakeSteps([], {
    ...rows.replaced,
    chooseTransfers: async (input) => {
      if (isBroken)
        throw ApplicationFailure.nonRetryable('Something in Waybill went wrong.', 'bug');
      return (chooseTransfers as Activities['chooseTransfers'])(input);
    },
  });
  await world.play(activities, async (given) => {
    stage = given;
    const id = rows.submit(['a']);
    await given.ring(rows.destinationId, id);
    await expect.poll(() => calls.length, soon).toBe(1);
    isBroken = false;
    await given.ring(rows.destinationId, id);
    await expect.poll(() => rows.having('DONE').length, soon).toBe(1);
  });
});

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
