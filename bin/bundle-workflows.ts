import { bundleWorkflowCode } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';

// Prints the workflows as the one file that a worker runs them from. A process of its own, because the
// bundler's memory (measured: 170 MB) would otherwise stay with the worker for good.

/** The bundler reports its progress line by line; nobody needs it at every start. */
const quiet = {
  log: () => undefined,
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (message: string) => process.stderr.write(`${message}\n`),
};

const workflowsPath = fileURLToPath(new URL('../workflows/workflows.ts', import.meta.url));
const { code } = await bundleWorkflowCode({ workflowsPath, logger: quiet });
process.stdout.write(code);
