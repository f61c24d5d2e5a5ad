import type { Client } from '@temporalio/client';
import { Worker, type NativeConnection } from '@temporalio/worker';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createActivities } from '../activities/activities.ts';
import type { ActivityDeps } from '../activities/deps.ts';
import { Failure } from '../domain/failure.ts';
import { searchAttributes, type TaskQueues } from '../domain/temporal-names.ts';

/** Ten times what our workflows are now. */
const bundleBytesMax = 16 * 1024 * 1024;

export interface WorkOptions {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly taskQueues: TaskQueues;
  readonly deps: Omit<ActivityDeps, 'isDraining'>;
  /** Slices, schema steps and publishes at once: 250 MB of memory each. */
  readonly dataSlots: number;
  /** How long running activities may go on after a stop, in ms; they end at their next batch. */
  readonly graceMs?: number;
}

/** A worker of both queues; `run` resolves when it has stopped. */
export interface Work {
  run(): Promise<void>;
  stop(): void;
}

/** Workflows and short activities on one queue, everything that moves rows on the other. */
export async function createWork(options: WorkOptions): Promise<Work> {
  const { connection, namespace, taskQueues, graceMs = 20_000 } = options;
  const workers: Worker[] = [];
  const isDraining = () => workers.some((worker) => worker.getState() !== 'RUNNING');
  const activities = createActivities({ ...options.deps, isDraining });
  const shared = {
    connection,
    namespace,
    activities,
    shutdownGraceTime: graceMs,
    shutdownForceTime: graceMs + 40_000,
    // Cancellation and pause arrive on a heartbeat's answer.
    maxHeartbeatThrottleInterval: '3s',
    defaultHeartbeatThrottleInterval: '3s',
  } as const;
  const control = await Worker.create({
    ...shared,
    taskQueue: taskQueues.control,
    workflowBundle: await bundleWorkflows(),
    maxConcurrentWorkflowTaskExecutions: 40,
    maxConcurrentActivityTaskExecutions: 20,
  });
  const data = await Worker.create({
    ...shared,
    taskQueue: taskQueues.data,
    maxConcurrentActivityTaskExecutions: options.dataSlots,
  });
  workers.push(control, data);
  const stop = () => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  return {
    stop,
    async run() {
      // When one ends, for whatever reason, the other has no work left to do here.
      const runs = workers.map((worker) => worker.run().finally(stop));
      const ends = await Promise.allSettled(runs);
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
    },
  };
}

/** In a process of its own: what the bundler takes in memory ends with it. */
async function bundleWorkflows(): Promise<{ code: string }> {
  const program = fileURLToPath(new URL('bundle-workflows.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program], {
    maxBuffer: bundleBytesMax,
  });
  return { code: stdout };
}

/** @throws Failure `config_invalid` that says what to run when the namespace is not ready for us. */
export async function checkNamespace(client: Client): Promise<void> {
  const { namespace } = client.options;
  const answer = await client.connection.operatorService
    .listSearchAttributes({ namespace })
    .catch((error: unknown) => {
      const message = `Temporal at this address has no namespace ${namespace}, or does not answer. Create it with: temporal operator namespace create -n ${namespace}`;
      throw new Failure('config_invalid', message, { cause: error });
    });
  const missing = Object.entries(searchAttributes).filter(
    ([name]) => !(name in answer.customAttributes),
  );
  if (missing.length === 0) return;
  const flags = missing.map(([name, type]) => `--name ${name} --type ${type}`).join(' ');
  const message = `The Temporal namespace ${namespace} lacks search attributes. Create them with: temporal operator search-attribute create -n ${namespace} ${flags}`;
  throw new Failure('config_invalid', message);
}
