import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { realpath, rm } from 'node:fs/promises';
import path from 'node:path';
import { Failure } from '../domain/failure.ts';
import type { Login } from './demo-vendor.ts';
import { endPostgres, startPostgres } from './embedded-postgres.ts';
import { renderLogLine } from './log-line.ts';
import { endRecordedProcesses } from './process-records.ts';
import { openStateDir } from './state-dir.ts';
import { startSystem, type System } from './system.ts';

/** Waybill, and the database servers of a vendor and of the vendor's customers, all on this machine. */
export interface Cast {
  readonly system: System;
  /** As superuser. */
  readonly vendor: Login;
  readonly customers: Login;
  /** Stops all servers; with `clear` nothing but the log stays on disk. */
  stop(end: { clear: boolean }): Promise<void>;
}

export interface CastOptions {
  readonly stateDir: string;
  readonly env: NodeJS.ProcessEnv;
  /** What Waybill's own start says. */
  readonly say: (line: string) => void;
  readonly vendorSettings: Readonly<Record<string, string>>;
  readonly customersSettings: Readonly<Record<string, string>>;
  /** Fills the vendor's database while Waybill starts. */
  readonly prepare: (vendor: Login) => Promise<void>;
  readonly signal: AbortSignal;
}

/** In the state folder: what the API and the worker say, readable. It outlives the run. */
export const logName = 'waybill.log';
const leftoverGraceMs = 5000;

/**
 * Starts all servers on free ports over an empty folder; what an earlier run left there is ended and removed.
 * Fails with `conflict` while another run uses the folder.
 */
export async function startCast(options: CastOptions): Promise<Cast> {
  const state = await takeFolder(options);
  const started = new AsyncDisposableStack();
  const stop = async ({ clear }: { clear: boolean }) => {
    await started.disposeAsync();
    if (clear) await clearFolder(options);
    state.close();
  };
  try {
    await clearFolder(options);
    return { ...(await startServers(options, started)), stop };
  } catch (error) {
    await stop({ clear: false });
    throw error;
  }
}

async function startServers(
  options: CastOptions,
  started: AsyncDisposableStack,
): Promise<Omit<Cast, 'stop'>> {
  const databases = [
    startDatabaseServer('vendor', options, started),
    startDatabaseServer('customers', options, started),
  ] as const;
  // All are awaited even where one fails, so that none is left running unseen.
  await Promise.allSettled(databases);
  const [vendor, customers] = await Promise.all(databases);
  const rest = [startWaybill(options, started), options.prepare(vendor)] as const;
  await Promise.allSettled(rest);
  const [system] = await Promise.all(rest);
  return { system, vendor, customers };
}

async function startWaybill(options: CastOptions, started: AsyncDisposableStack): Promise<System> {
  const log = createWriteStream(path.join(options.stateDir, logName));
  started.defer(() => void log.end());
  const system = await startSystem({
    ...options,
    stateDir: path.join(options.stateDir, 'system'),
    ports: { api: 0, temporal: 0, database: 0 },
    onLog: (role, line) => void log.write(`${renderLogLine(role, line)}\n`),
  });
  return started.adopt(system, (each) => each.stop());
}

async function takeFolder({ stateDir, say }: CastOptions) {
  try {
    return await openStateDir(stateDir, say);
  } catch (error) {
    if (!(error instanceof Failure && error.kind === 'conflict')) throw error;
    throw new Failure(
      'conflict',
      `An earlier run is still there: its servers use ${stateDir}. Stop it first.`,
    );
  }
}

/** Ends what a killed run left running, then removes all that any run left on disk. */
export async function clearFolder({
  stateDir,
  say,
}: Pick<CastOptions, 'stateDir' | 'say'>): Promise<void> {
  const records = path.join(stateDir, 'system', 'processes.json');
  await endRecordedProcesses(records, { graceMs: leftoverGraceMs, say });
  for (const folder of ['system/postgres', 'vendor', 'customers']) {
    const dataDir = path.join(stateDir, folder);
    await endPostgres(dataDir, say);
    // Where root's home holds the project, the data lies elsewhere and a link leads there.
    const target = await realpath(dataDir).catch(() => dataDir);
    await rm(target, { recursive: true, force: true });
    await rm(dataDir, { recursive: true, force: true });
  }
  await rm(path.join(stateDir, 'system'), { recursive: true, force: true });
}

async function startDatabaseServer(
  name: 'vendor' | 'customers',
  options: CastOptions,
  started: AsyncDisposableStack,
): Promise<Login> {
  const server = await startPostgres({
    dataDir: path.join(options.stateDir, name),
    superuserPassword: randomBytes(18).toString('base64url'),
    say: options.say,
    settings: options[`${name}Settings`],
  });
  started.defer(() => server.stop());
  const { host, port, user, password } = server;
  return { host, port, user, password, database: 'postgres' };
}
