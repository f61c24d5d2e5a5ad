import { Context } from '@temporalio/activity';
import type { Client, WorkflowHandle } from '@temporalio/client';
import {
  bundleWorkflowCode,
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
} from '@temporalio/worker';
import type { WorkflowBundle } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Activities } from '../../activities/activities.ts';
import type { TaskQueues } from '../../domain/temporal-names.ts';
import { taskQueuesOf, workflowIds } from '../../domain/temporal-names.ts';
import type { destinationQueue, runTransfer } from '../../workflows/workflows.ts';

// The real workflows on a real server, with activities that are plain functions: what is tested is order,
// pause, cancellation and what crosses Temporal.

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { forward: {}, filter: 'ERROR' } },
});

const workflowsPath = fileURLToPath(new URL('../../workflows/workflows.ts', import.meta.url));

/** Where a test's workflows run. */
export interface WorldOptions {
  readonly address: string;
  readonly namespace: string;
  readonly client: Client;
}

export interface World extends AsyncDisposable {
  readonly client: Client;
  /** Runs the work beside workers of both queues; queues and ids of each call are its own. */
  play<T>(activities: Activities, work: (stage: Stage) => Promise<T>): Promise<T>;
}

export interface Stage {
  readonly client: Client;
  readonly taskQueues: TaskQueues;
  startTransfer(transferId?: string): Promise<WorkflowHandle<typeof runTransfer>>;
  /** As the API does it. */
  ring(destinationId: string, transferId: string): Promise<WorkflowHandle<typeof destinationQueue>>;
}

/** The workflows are bundled once for all tests of a file. */
export async function createWorld({ address, namespace, client }: WorldOptions): Promise<World> {
  const connection = await NativeConnection.connect({ address });
  const workflowBundle = await bundleWorkflowCode({
    workflowsPath,
    logger: new DefaultLogger('ERROR'),
  });
  return {
    client,
    async play(activities, work) {
      const taskQueues = taskQueuesOf(`${randomUUID()}-`);
      const stage = { connection, namespace, workflowBundle, activities, taskQueues };
      const [control, data] = await createWorkers(stage);
      return control.runUntil(() => data.runUntil(() => work(createStage(client, taskQueues))));
    },
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

interface WorkerParts {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly workflowBundle: WorkflowBundle;
  readonly activities: Activities;
  readonly taskQueues: TaskQueues;
}

async function createWorkers(parts: WorkerParts): Promise<[control: Worker, data: Worker]> {
  const { connection, namespace, workflowBundle, activities, taskQueues } = parts;
  const shared = {
    connection,
    namespace,
    activities,
    // A cancellation arrives on a heartbeat's answer.
    maxHeartbeatThrottleInterval: 50,
    defaultHeartbeatThrottleInterval: 50,
    shutdownForceTime: '5s',
  } as const;
  return Promise.all([
    Worker.create({ ...shared, workflowBundle, taskQueue: taskQueues.control }),
    Worker.create({ ...shared, taskQueue: taskQueues.data }),
  ]);
}

function createStage(client: Client, taskQueues: TaskQueues): Stage {
  const taskQueue = taskQueues.control;
  return {
    client,
    taskQueues,
    startTransfer: (transferId = randomUUID()) =>
      client.workflow.start<typeof runTransfer>('runTransfer', {
        taskQueue,
        workflowId: workflowIds.transfer(transferId),
        args: [{ transferId, destinationId: 'd', recipientId: 'r', trigger: 'manual' }],
      }),
    ring: (destinationId, transferId) =>
      client.workflow.signalWithStart<typeof destinationQueue, [string]>('destinationQueue', {
        taskQueue,
        workflowId: workflowIds.destination(destinationId),
        args: [{ destinationId }],
        signal: 'ring',
        signalArgs: [transferId],
      }),
  };
}

/** Works until it is cancelled or the promise has settled, with heartbeats, as `copySlice` does. */
export async function workUntil<T>(end: Promise<T>): Promise<T> {
  const context = Context.current();
  const ticker = setInterval(() => context.heartbeat(), 20);
  try {
    return await Promise.race([end, context.cancelled]);
  } finally {
    clearInterval(ticker);
  }
}
