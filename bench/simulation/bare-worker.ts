import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../config.ts';

// Runs `bareWorkflow`, with the limits of the product's own worker.

const { temporal } = loadConfig();
Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: ['SIGTERM'] });
const connection = await NativeConnection.connect({ address: temporal.address });
const worker = await Worker.create({
  connection,
  namespace: temporal.namespace,
  taskQueue: 'bare',
  workflowsPath: fileURLToPath(new URL('bare-workflows.ts', import.meta.url)),
  activities: { nothing: async () => undefined },
  maxConcurrentWorkflowTaskExecutions: 40,
  maxConcurrentActivityTaskExecutions: 20,
});
process.stdout.write('worker started\n');
await worker.run();
await connection.close();
