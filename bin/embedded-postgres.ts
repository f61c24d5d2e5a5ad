import { chown, mkdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../domain/failure.ts';
import { startChild, type Account, type Child } from './child.ts';
import { findFreePort } from './free-port.ts';
import {
  findPostgresFiles,
  prepareDataDir,
  type PostgresFiles,
  type PostgresMajor,
} from './postgres-files.ts';
import { endPostgresLeftovers, killPostgres, readLockFile } from './postgres-leftovers.ts';
import { lastLines, runCommand } from './run-command.ts';

export type { PostgresMajor } from './postgres-files.ts';

export interface PostgresOptions {
  /** Made when it is missing; an existing database in it is used as it is. */
  readonly dataDir: string;
  /** Of the user `postgres`; counts only when the database is made. */
  readonly superuserPassword: string;
  readonly say: (line: string) => void;
  /** A free one when left out. */
  readonly port?: number;
  /** 18 when left out. */
  readonly major?: PostgresMajor;
  /** Server settings by name: `{ wal_level: 'logical' }`. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface PostgresServer {
  readonly host: string;
  readonly port: number;
  /** Of the database `postgres`, as superuser. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly pid: number;
  /** The folder with PG_VERSION in it, inside `dataDir`. */
  readonly cluster: string;
  readonly logFile: string;
  readonly exited: Promise<string>;
  /** Ends every session and stops cleanly. */
  stop(): Promise<void>;
  /** Kills every process of the server at once, as a power cut would. */
  kill(): Promise<void>;
}

const host = '127.0.0.1';
const superuser = 'postgres';
const initTimeoutMs = 120_000;
const readyTimeoutMs = 180_000;
const pollMs = 25;
const stopGraceMs = 30_000;

/** Servers must not be steered by PGPORT, PGDATA and their like in the caller's environment. */
const serverEnv = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' };

/**
 * Runs a Postgres of our own on the loopback address until it accepts connections, also as root and also
 * over what a killed run left behind. Fails with `unavailable`, quoting the server, when it does not start.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const files = await findPostgresFiles(options.major ?? 18, options.dataDir, options.say);
  const folder = await prepareDataDir(options.dataDir, files.account, options.say);
  const cluster = path.join(folder, 'cluster');
  await endPostgresLeftovers(cluster, options.say);
  if (!(await exists(cluster))) await createCluster({ files, folder, cluster, options });
  const port = options.port ?? (await findFreePort());
  const logFile = path.join(folder, 'postgres.log');
  const child = await startChild({
    command: files.postgres,
    args: serverArguments(cluster, port, options.settings ?? {}),
    env: serverEnv,
    account: files.account,
    output: { file: logFile },
  });
  await waitUntilReady(child, cluster);
  return describeServer({ child, cluster, port, logFile, password: options.superuserPassword });
}

/** Ends what a killed run left behind on the data folder, so that its port is free again. */
export async function endPostgres(dataDir: string, say: (line: string) => void): Promise<void> {
  const folder = await realpath(dataDir).catch(() => undefined);
  if (folder !== undefined) await endPostgresLeftovers(path.join(folder, 'cluster'), say);
}

interface NewCluster {
  readonly files: PostgresFiles;
  readonly folder: string;
  readonly cluster: string;
  readonly options: PostgresOptions;
}

/** Made under another name and renamed when complete, so that a kill in between leaves nothing half made. */
async function createCluster({ files, folder, cluster, options }: NewCluster): Promise<void> {
  const half = path.join(folder, 'cluster.new');
  const passwordFile = path.join(folder, 'password.new');
  await rm(half, { recursive: true, force: true });
  await mkdir(half, { mode: 0o700 });
  await writeFile(passwordFile, `${options.superuserPassword}\n`, { mode: 0o600 });
  await ownedBy(files.account, [half, passwordFile]);
  const args = [`--pgdata=${half}`, `--username=${superuser}`, `--pwfile=${passwordFile}`];
  args.push('--auth=scram-sha-256', '--encoding=UTF8', '--locale=C');
  const made = await runCommand(files.initdb, args, {
    account: files.account,
    env: serverEnv,
    timeoutMs: initTimeoutMs,
  });
  await rm(passwordFile, { force: true });
  if (made.failed !== undefined) {
    const said = lastLines(made.stderr, 5);
    throw new Failure(
      'unavailable',
      `The Postgres database could not be made (${made.failed}).\n${said}`,
    );
  }
  await rename(half, cluster);
}

async function ownedBy(account: Account | undefined, paths: readonly string[]): Promise<void> {
  if (account === undefined) return;
  for (const each of paths) await chown(each, account.uid, account.gid);
}

function serverArguments(
  cluster: string,
  port: number,
  settings: Readonly<Record<string, string>>,
): string[] {
  const all = {
    listen_addresses: host,
    unix_socket_directories: '',
    max_connections: '200',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...settings,
  };
  const args = ['-D', cluster, '-p', String(port)];
  for (const [name, value] of Object.entries(all)) args.push('-c', `${name}=${value}`);
  return args;
}

/**
 * The server writes into its lock file when it accepts connections; unlike an answer on the port, that cannot
 * come from another server.
 */
async function waitUntilReady(child: Child, cluster: string): Promise<void> {
  const deadline = Date.now() + readyTimeoutMs;
  while (Date.now() < deadline) {
    if (child.hasExited()) throw notStarted(child, await child.exited);
    const lock = readLockFile(cluster);
    if (lock?.pid === child.pid && (lock.status === 'ready' || lock.status === 'standby')) return;
    await sleep(pollMs);
  }
  await child.stop('SIGQUIT', stopGraceMs);
  throw notStarted(child, `not ready after ${readyTimeoutMs / 1000} s`);
}

function notStarted(child: Child, how: string): Failure {
  return new Failure(
    'unavailable',
    `Postgres did not start (${how}).\n${child.lastLines().slice(-5).join('\n')}`,
  );
}

interface Started {
  readonly child: Child;
  readonly cluster: string;
  readonly port: number;
  readonly logFile: string;
  readonly password: string;
}

function describeServer({ child, cluster, port, logFile, password }: Started): PostgresServer {
  return {
    host,
    port,
    url: `postgres://${superuser}:${encodeURIComponent(password)}@${host}:${port}/postgres`,
    user: superuser,
    password,
    pid: child.pid,
    cluster,
    logFile,
    exited: child.exited,
    stop: () => child.stop('SIGINT', stopGraceMs),
    kill: async () => {
      await child.stop('SIGKILL', 0);
      await killPostgres(cluster);
    },
  };
}

async function exists(folder: string): Promise<boolean> {
  return (await stat(folder).catch(() => undefined)) !== undefined;
}
