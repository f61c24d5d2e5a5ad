import { NativeConnection, Runtime, type LogLevel } from '@temporalio/worker';
import { pino, type Logger } from 'pino';
import { loadConfig } from '../config.ts';
import { connectors } from '../connectors/registry.ts';
import { closeDatabase, createDatabase } from '../db/database.ts';
import { taskQueuesOf } from '../domain/temporal-names.ts';
import { createSealer } from '../lib/seal.ts';
import { startMetrics } from './metrics.ts';
import { createReach, hostKeysOf } from './reach.ts';
import { ensureReconcileSchedule } from './reconcile-schedule.ts';
import { runProcess } from './run-process.ts';
import { connectTemporal, createWorkflowPort } from './temporal-port.ts';
import { checkNamespace, createWork } from './work.ts';

// A worker: runs the workflows and activities. Any number of them may run beside each other.

// Above the call: what stands below it is not there yet while it runs.
const lowered = {
  TRACE: 'trace',
  DEBUG: 'trace',
  INFO: 'debug',
  WARN: 'warn',
  ERROR: 'error',
} as const satisfies Record<LogLevel, string>;

/** The data queue has no workflows on purpose. */
const expected = /^No workflows registered/;

/** A Temporal that was emptied while workers went on has lost the schedule with the rest. */
const scheduleLookMs = 5 * 60_000;

await runProcess('worker', main);

async function main(): Promise<void> {
  const config = loadConfig();
  const log = pino({ level: config.logLevel, base: { role: 'worker' } });
  installRuntime(log, config.metrics.temporalAddress);
  const taskQueues = taskQueuesOf();
  const client = connectTemporal(config.temporal);
  await checkNamespace(client);
  await ensureReconcileSchedule(client, taskQueues);
  const connection = await NativeConnection.connect({ address: config.temporal.address });
  const db = createDatabase(config.databaseUrl, { connectionsMax: config.dataSlots + 20 });
  await using running = await startMetrics(config.metrics);
  const work = await createWork({
    connection,
    namespace: config.temporal.namespace,
    taskQueues,
    dataSlots: config.dataSlots,
    deps: {
      db,
      connectors,
      sealer: createSealer(config.sealKeys),
      reach: createReach(config, hostKeysOf(db)),
      workflows: createWorkflowPort(client, taskQueues),
      limits: config.limits,
      publicUrl: config.publicUrl ?? `http://127.0.0.1:${config.api.port}`,
      log,
      metrics: running.metrics,
    },
  });
  log.info({ dataSlots: config.dataSlots }, 'worker started');
  const keeping = setInterval(() => {
    const say = (error: Error) => log.warn({ kind: error.name }, 'no look at reconcile');
    ensureReconcileSchedule(client, taskQueues).catch(say);
  }, scheduleLookMs);
  await work.run();
  clearInterval(keeping);
  await Promise.allSettled([closeDatabase(db), connection.close(), client.connection.close()]);
  log.info('worker stopped');
}

/**
 * Temporal's own lines become ours, a level lower: each workflow and activity says so when it starts and
 * ends, and our own lines tell more. The runtime also turns SIGINT and SIGTERM into a drain of the workers.
 */
function installRuntime(log: Logger, metricsAddress: string | undefined): void {
  const write = (level: LogLevel, message: string, meta?: Record<string, unknown>) => {
    const { error, sdkComponent: component, workflowId: workflow } = meta ?? {};
    // An error of an activity was logged by us already, without what a driver may quote.
    const kind = error instanceof Error ? error.name : undefined;
    log[expected.test(message) ? 'debug' : lowered[level]]({ component, workflow, kind }, message);
  };
  Runtime.install({
    logger: {
      log: write,
      trace: (message, meta) => write('TRACE', message, meta),
      debug: (message, meta) => write('DEBUG', message, meta),
      info: (message, meta) => write('INFO', message, meta),
      warn: (message, meta) => write('WARN', message, meta),
      error: (message, meta) => write('ERROR', message, meta),
    },
    shutdownSignals: ['SIGINT', 'SIGTERM'],
    telemetryOptions: {
      logging: { forward: {}, filter: 'WARN' },
      // The figures of Temporal's own client: queues, slots, latencies.
      ...(metricsAddress !== undefined && {
        metrics: { prometheus: { bindAddress: metricsAddress } },
      }),
    },
  });
}
