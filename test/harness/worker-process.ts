import { fileURLToPath } from 'node:url';
import type { Child } from '../../bin/child.ts';
import { startChild } from '../../bin/child.ts';
import type { System } from './system.ts';

/** A worker of its own process, to be killed. It serves the system that was made with `worker: 'none'`. */
export interface WorkerProcess extends AsyncDisposable {
  readonly pid: number;
  /** All it has printed. */
  readonly lines: readonly string[];
  /** As a power cut: resolves when it is gone. */
  kill(): Promise<void>;
  /** Asks it to drain and waits. */
  stop(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
}

const entry = fileURLToPath(new URL('../../bin/worker.ts', import.meta.url));
const startMs = 60_000;

/** Starts `bin/worker.ts` as an operator would, by its environment, and waits until it works. */
export async function spawnWorker(
  system: System,
  settings: Readonly<Record<string, string>> = {},
): Promise<WorkerProcess> {
  const lines: string[] = [];
  const started = Promise.withResolvers<void>();
  const child = await startChild({
    command: process.execPath,
    args: [entry],
    env: { ...environmentOf(system), ...settings },
    output: {
      onLine: (line) => {
        lines.push(line);
        if (line.includes('worker started')) started.resolve();
      },
    },
  });
  await waitForStart(child, { started: started.promise, lines });
  const stop = () => child.stop('SIGTERM', 30_000);
  return {
    pid: child.pid,
    lines,
    kill: () => child.stop('SIGKILL', 0),
    stop,
    signal: child.signal,
    [Symbol.asyncDispose]: () => child.stop('SIGKILL', 0),
  };
}

function environmentOf({ metadata, temporal }: System): NodeJS.ProcessEnv {
  return {
    ...process.env,
    WAYBILL_DATABASE_URL: metadata.url,
    // Of `testSealer`.
    WAYBILL_KEY: `test:${Buffer.alloc(32, 7).toString('base64url')}`,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace,
    WAYBILL_ALLOWED_NETWORKS: '127.0.0.0/8',
    WAYBILL_OWN_SERVICES: 'open',
  };
}

async function waitForStart(
  child: Child,
  { started, lines }: { started: Promise<void>; lines: readonly string[] },
): Promise<void> {
  const timeout = Promise.withResolvers<never>();
  const fail = (how: string) =>
    timeout.reject(new Error(`The worker did not start (${how}).\n${lines.join('\n')}`));
  const timer = setTimeout(() => fail(`silent for ${startMs / 1000} s`), startMs);
  void child.exited.then(fail);
  try {
    await Promise.race([started, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}
