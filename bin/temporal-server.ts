import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../domain/failure.ts';
import { searchAttributes } from '../domain/temporal-names.ts';
import { startChild, type Child } from './child.ts';
import { findFreePort, isPortFree } from './free-port.ts';
import { runCommand } from './run-command.ts';

export interface TemporalServerOptions {
  /** From `findTemporalBinary`. */
  readonly binary: string;
  readonly env: NodeJS.ProcessEnv;
  /** Holds the log, and the database unless `inMemory`. Must exist. */
  readonly folder: string;
  /** Everything is forgotten at the end. */
  readonly inMemory?: boolean;
  /** A free one when left out. */
  readonly port?: number;
  /** No web pages when left out. */
  readonly uiPort?: number | undefined;
  /** Made besides `default`, with the same search attributes. */
  readonly namespaces?: readonly string[];
  /** Settings of the server beside our own, such as limits that a test lowers. */
  readonly dynamicConfig?: Readonly<Record<string, string | number | boolean>>;
  /** Told at once, so that the process can be found again should we be killed while it starts. */
  readonly onPid?: (pid: number) => void;
}

export interface TemporalServer {
  /** `127.0.0.1:7233` */
  readonly address: string;
  readonly uiUrl: string | undefined;
  readonly pid: number;
  readonly exited: Promise<string>;
  /** Asks it to end and waits; with `inMemory` it is killed, since there is nothing to keep. */
  stop(): Promise<void>;
}

type AttributeName = keyof typeof searchAttributes;

const readyTimeoutMs = 60_000;
const pollMs = 100;
const commandTimeoutMs = 10_000;
const stopGraceMs = 10_000;

/**
 * Runs Temporal's development server until it answers and knows our search attributes.
 * Fails with `unavailable`, quoting the server, when it ends or stays silent for a minute.
 */
export async function startTemporal(options: TemporalServerOptions): Promise<TemporalServer> {
  const port = options.port ?? (await findFreePort());
  // Another server on the port would answer in place of ours, and pass for it.
  if (!(await isPortFree(port)))
    throw new Failure('unavailable', `Port ${port} for Temporal is taken.`);
  const child = await startChild({
    command: options.binary,
    args: serverArguments(options, port),
    env: options.env,
    output: { file: path.join(options.folder, 'temporal.log') },
  });
  options.onPid?.(child.pid);
  const address = `127.0.0.1:${port}`;
  try {
    await waitForAttributes({ child, address, options });
  } catch (error) {
    await child.stop('SIGKILL', 0);
    throw error;
  }
  return {
    address,
    uiUrl: options.uiPort === undefined ? undefined : `http://127.0.0.1:${options.uiPort}`,
    pid: child.pid,
    exited: child.exited,
    stop: () => child.stop(options.inMemory === true ? 'SIGKILL' : 'SIGTERM', stopGraceMs),
  };
}

const serverSettings = {
  // A third off the cost of a short activity on the workflow's own queue.
  'system.enableActivityEagerExecution': true,
  // All of them write through one connection to SQLite: with the usual hundreds, many transfers due at once
  // ran into each other's deadlines and were done again (measured: half the rate).
  'history.transferProcessorSchedulerWorkerCount': 4,
  'history.timerProcessorSchedulerWorkerCount': 4,
  'history.visibilityProcessorSchedulerWorkerCount': 4,
  'history.archivalProcessorSchedulerWorkerCount': 4,
};

function serverArguments(options: TemporalServerOptions, port: number): string[] {
  const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port)];
  args.push('--log-format', 'json', '--log-level', 'error');
  const settings = { ...serverSettings, ...options.dynamicConfig };
  for (const [name, value] of Object.entries(settings))
    args.push('--dynamic-config-value', `${name}=${value}`);
  if (options.inMemory !== true) {
    args.push('--db-filename', path.join(options.folder, 'temporal.db'));
    // As durable as the default journal, and measured five times as fast to commit.
    args.push('--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=full');
  }
  args.push(
    ...(options.uiPort === undefined ? ['--headless'] : ['--ui-port', String(options.uiPort)]),
  );
  for (const namespace of options.namespaces ?? []) args.push('--namespace', namespace);
  for (const [name, type] of Object.entries(searchAttributes))
    args.push('--search-attribute', `${name}=${type}`);
  return args;
}

interface Starting {
  readonly child: Child;
  readonly address: string;
  readonly options: TemporalServerOptions;
}

/** The server's own flag is ignored over a database file that exists, so what it lacks is added here. */
async function waitForAttributes(starting: Starting): Promise<void> {
  const deadline = Date.now() + readyTimeoutMs;
  while (Date.now() < deadline) {
    if (starting.child.hasExited()) throw notStarted(starting.child, await starting.child.exited);
    const missing = await missingAttributes(starting);
    if (missing?.length === 0) return;
    if (missing !== undefined) await addAttributes(starting, missing);
    await sleep(pollMs);
  }
  throw notStarted(starting.child, `silent for ${readyTimeoutMs / 1000} s`);
}

/** Undefined while the server does not answer. */
async function missingAttributes(starting: Starting): Promise<AttributeName[] | undefined> {
  const { stdout, failed } = await operator(starting, ['list', '--output', 'json']);
  if (failed !== undefined) return undefined;
  const names = Object.keys(searchAttributes) as AttributeName[];
  return names.filter((name) => !stdout.includes(`"${name}"`));
}

async function addAttributes(starting: Starting, missing: readonly AttributeName[]): Promise<void> {
  for (const name of missing) {
    await operator(starting, ['create', '--name', name, '--type', searchAttributes[name]]);
  }
}

function operator(starting: Starting, args: readonly string[]) {
  const { binary, env } = starting.options;
  // The caller's own settings for the command line may point at another server.
  const where = [
    '--disable-config-env',
    '--disable-config-file',
    '--address',
    starting.address,
    '--namespace',
    'default',
  ];
  const all = ['operator', 'search-attribute', ...args, ...where];
  return runCommand(binary, all, { env, timeoutMs: commandTimeoutMs });
}

function notStarted(child: Child, how: string): Failure {
  const said = child.lastLines().slice(-5).join('\n');
  return new Failure('unavailable', `The Temporal server did not start (${how}).\n${said}`);
}
