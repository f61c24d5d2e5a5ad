import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { Activities } from '../../activities/activities.ts';
import { workflowIds } from '../../domain/temporal-names.ts';
import { createFakeSteps, slice } from './fake-steps.ts';
import { listRuns } from './renewing-server.ts';
import { workUntil, type Stage, type World } from './world.ts';

// One workflow at each point at which a deploy may find it, parked there.

export interface Parking {
  /** Of its recorded histories. */
  readonly name: string;
  readonly play: (gate: Gate) => Play;
}

interface Play {
  readonly replaced: Partial<Activities>;
  readonly models?: readonly string[];
  /** Brings workflows to that point. @returns those whose histories tell of it. */
  readonly park: (stage: Stage) => Promise<readonly WorkflowHandle[]>;
}

/** What an activity reaches, and what lets it go on. */
interface Gate {
  readonly reached: Promise<void>;
  readonly reach: () => void;
  readonly released: Promise<void>;
}

/** Parks it, hands its workflows over, and lets go. */
export async function visit(
  world: World,
  parking: Parking,
  look: (name: string, handles: readonly WorkflowHandle[]) => Promise<void>,
): Promise<void> {
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const {
    models = ['orders'],
    replaced,
    park,
  } = parking.play({
    reached: reached.promise,
    reach: reached.resolve,
    released: released.promise,
  });
  const { activities } = createFakeSteps(models, replaced);
  await world.play(activities, async (stage) => {
    const handles = await park(stage);
    await look(parking.name, handles);
    released.resolve();
    for (const handle of handles) await handle.terminate().catch(() => undefined);
  });
}

/** A transfer and its models, once it has ended. */
async function ended(stage: Stage, models: readonly string[]): Promise<readonly WorkflowHandle[]> {
  const handle = await stage.startTransfer();
  await handle.result().catch(() => undefined);
  return familyOf(stage, handle, models);
}

function familyOf(
  stage: Stage,
  transfer: WorkflowHandle,
  models: readonly string[],
): WorkflowHandle[] {
  return [
    transfer,
    ...models.map((name) => stage.client.workflow.getHandle(`${transfer.workflowId}/${name}`)),
  ];
}

const replace = {
  mode: 'replace',
  mustEvolve: true,
  windowEnd: undefined,
  summary: 'replace',
} as const;

export const parkings: readonly Parking[] = [
  {
    name: 'merged',
    play: () => ({
      replaced: {
        planModel: async () => ({
          ...replace,
          mode: 'merge',
          windowEnd: '2026-01-02T00:00:00.000Z',
        }),
        copySlice: async ({ step }) => slice(step < 2 ? 'slice' : 'done', 5),
      },
      park: (stage) => ended(stage, ['orders']),
    }),
  },
  {
    name: 'replaced',
    play: () => ({
      replaced: { planModel: async () => replace, copySlice: async () => slice('publish', 5) },
      park: (stage) => ended(stage, ['orders']),
    }),
  },
  {
    name: 'partly-failed',
    play: () => ({
      models: ['orders', 'invoices'],
      replaced: {
        planModel: async ({ modelId }) => {
          if (modelId === 'orders') {
            throw ApplicationFailure.nonRetryable('Not ours.', 'schema_conflict', 'SCHM');
          }
          return replace;
        },
      },
      // What could not be planned has no workflow of its own.
      park: (stage) => ended(stage, ['invoices']),
    }),
  },
  {
    name: 'retried',
    play: () => {
      let tries = 0;
      return {
        replaced: {
          copySlice: async () => {
            tries += 1;
            if (tries > 2) return slice('done', 1);
            throw ApplicationFailure.create({ type: 'source_busy', nextRetryDelay: 10 });
          },
        },
        park: (stage) => ended(stage, ['orders']),
      };
    },
  },
  {
    name: 'copying',
    play: (gate) => ({
      replaced: {
        copySlice: () => {
          gate.reach();
          return workUntil(gate.released.then(() => slice('done', 1)));
        },
      },
      async park(stage) {
        const transfer = await stage.startTransfer();
        await gate.reached;
        return familyOf(stage, transfer, ['orders']);
      },
    }),
  },
  {
    name: 'cancelled',
    play: (gate) => ({
      replaced: {
        copySlice: () => {
          gate.reach();
          return workUntil(new Promise<never>(() => undefined));
        },
      },
      async park(stage) {
        const transfer = await stage.startTransfer();
        await gate.reached;
        await transfer.cancel();
        await transfer.result().catch(() => undefined);
        return familyOf(stage, transfer, ['orders']);
      },
    }),
  },
  {
    name: 'paused',
    play: (gate) => ({
      replaced: {
        copySlice: async ({ step }) => {
          if (step > 1) return slice('done', 1);
          gate.reach();
          return workUntil(new Promise<never>(() => undefined));
        },
      },
      async park(stage) {
        const transfer = await stage.startTransfer();
        await gate.reached;
        await transfer.signal('pause');
        const family = familyOf(stage, transfer, ['orders']);
        await untilPaused(family);
        return family;
      },
    }),
  },
  {
    name: 'resumed',
    play: (gate) => ({
      replaced: {
        copySlice: async ({ step }) => {
          if (step > 1) return slice('done', 1);
          gate.reach();
          return workUntil(new Promise<never>(() => undefined));
        },
      },
      async park(stage) {
        const transfer = await stage.startTransfer();
        await gate.reached;
        await transfer.signal('pause');
        const family = familyOf(stage, transfer, ['orders']);
        await untilPaused(family);
        await transfer.signal('resume');
        await transfer.result();
        return family;
      },
    }),
  },
  {
    name: 'continued',
    play: () => ({
      replaced: { copySlice: async ({ step }) => slice(step < 12 ? 'slice' : 'done', 1) },
      async park(stage) {
        const transfer = await stage.startTransfer();
        await transfer.result();
        const model = `${transfer.workflowId}/orders`;
        const runs = await listRuns(stage.client, model);
        return runs.map((runId) => stage.client.workflow.getHandle(model, runId));
      },
    }),
  },
  {
    name: 'queue-ended',
    play: () => ({
      replaced: { chooseTransfers: async () => ({ starts: [startOf('of a queue')], waiting: 0 }) },
      async park(stage) {
        const queue = await stage.ring('ended', 'of a queue');
        await queue.result();
        return [queue];
      },
    }),
  },
  {
    name: 'queue-waiting',
    play: (gate) => ({
      replaced: {
        chooseTransfers: async () => {
          gate.reach();
          return { starts: [], waiting: 1 };
        },
      },
      async park(stage) {
        const queue = await stage.ring('waiting', 'x');
        await gate.reached;
        await queue.signal('ring', 'x');
        return [queue];
      },
    }),
  },
  {
    name: 'reconciled',
    play: () => ({
      replaced: {},
      async park({ client, taskQueues }) {
        const options = { workflowId: workflowIds.reconcile, taskQueue: taskQueues.control };
        const handle = await client.workflow.start('reconcile', options);
        await handle.result();
        return [handle];
      },
    }),
  },
  {
    name: 'probed',
    play: () => ({
      replaced: {},
      async park({ client, taskQueues }) {
        const options = { workflowId: workflowIds.probe('p'), taskQueue: taskQueues.control };
        const ref = { probeId: 'p', environment: 'prod', kind: 'model' };
        const handle = await client.workflow.start('probe', { ...options, args: [ref] });
        await handle.result();
        return [handle];
      },
    }),
  },
];

function startOf(transferId: string) {
  return { transferId, recipientId: 'r', trigger: 'manual', summary: 'orders' };
}

/** The last of the family is the model; it says in its details that it waits. */
async function untilPaused(family: readonly WorkflowHandle[]): Promise<void> {
  const model = family.at(-1);
  for (let isPaused = false; !isPaused;) {
    const details = await model?.query('__temporal_workflow_metadata').catch(() => '');
    isPaused = JSON.stringify(details ?? '').includes('paused');
  }
}
