import { NativeConnection, Runtime } from '@temporalio/worker';
import { pino } from 'pino';
import { silentMetrics } from '../../domain/metrics.ts';
import { createReach, hostKeysOf } from '../../bin/reach.ts';
import { ensureReconcileSchedule } from '../../bin/reconcile-schedule.ts';
import { runProcess } from '../../bin/run-process.ts';
import { connectTemporal, createWorkflowPort } from '../../bin/temporal-port.ts';
import { createWork } from '../../bin/work.ts';
import { loadConfig } from '../../config.ts';
import { connectors } from '../../connectors/registry.ts';
import { closeDatabase, createDatabase } from '../../db/database.ts';
import { taskQueuesOf } from '../../domain/temporal-names.ts';
import { createSealer } from '../../lib/seal.ts';
import { world } from './world-connector.ts';

// The product's worker with one connector more, which the product does not list.

await runProcess('simulated worker', async () => {
  const config = loadConfig();
  Runtime.install({
    shutdownSignals: ['SIGTERM'],
    telemetryOptions: { logging: { forward: {}, filter: 'ERROR' } },
  });
  const taskQueues = taskQueuesOf();
  const client = connectTemporal(config.temporal);
  await ensureReconcileSchedule(client, taskQueues);
  const connection = await NativeConnection.connect({ address: config.temporal.address });
  const db = createDatabase(config.databaseUrl, { connectionsMax: config.dataSlots + 20 });
  const log = pino({ level: config.logLevel });
  const work = await createWork({
    connection,
    namespace: config.temporal.namespace,
    taskQueues,
    dataSlots: config.dataSlots,
    deps: {
      db,
      connectors: new Map([...connectors, [world.kind, world]]),
      sealer: createSealer(config.sealKeys),
      reach: createReach(config, hostKeysOf(db)),
      workflows: createWorkflowPort(client, taskQueues),
      limits: config.limits,
      publicUrl: config.publicUrl ?? `http://127.0.0.1:${config.api.port}`,
      log,
      metrics: silentMetrics,
    },
  });
  process.stdout.write('worker started\n');
  await work.run();
  await Promise.allSettled([closeDatabase(db), connection.close(), client.connection.close()]);
});
