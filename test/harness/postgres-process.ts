import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  startPostgres,
  type PostgresMajor,
  type PostgresServer,
} from '../../bin/embedded-postgres.ts';
import { findFreePort } from '../../bin/free-port.ts';
import { runCommand } from '../../bin/run-command.ts';
import { assert } from '../../lib/must.ts';
import { testServers } from './servers.ts';

export interface PrivatePostgresOptions {
  /** 18 when left out. */
  readonly major?: PostgresMajor;
  readonly settings?: Readonly<Record<string, string>>;
}

/** A Postgres server of one test, to be stopped, killed and started again at will, on the same port. */
export interface PrivatePostgres extends AsyncDisposable {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly dataDir: string;
  /** Of the server that runs now or ran last. */
  readonly server: PostgresServer;
  /** As a power cut. */
  kill(): Promise<void>;
  stop(): Promise<void>;
  /** After `kill` or `stop`; other settings may be given. */
  start(settings?: Readonly<Record<string, string>>): Promise<void>;
}

const password = 'private';
const say = () => undefined;

/** Starts a server that no other test touches. Dispose of it with `await using`. */
export async function startPrivatePostgres(
  options: PrivatePostgresOptions = {},
): Promise<PrivatePostgres> {
  const dataDir = path.join(testServers().folder, `private-${randomUUID()}`);
  return runIn(dataDir, options);
}

/**
 * A hot standby of the server, which is stopped for the copy and started again: connections to it break.
 */
export async function startStandby(
  primary: PrivatePostgres,
  options: PrivatePostgresOptions = {},
): Promise<PrivatePostgres> {
  const dataDir = path.join(testServers().folder, `standby-${randomUUID()}`);
  const cluster = path.join(dataDir, 'cluster');
  await primary.stop();
  await mkdir(dataDir, { mode: 0o700 });
  const copied = await runCommand('cp', ['-a', primary.server.cluster, cluster], {
    timeoutMs: 60_000,
  });
  assert(copied.failed === undefined, 'the data folder of the primary was copied');
  await writeFile(path.join(cluster, 'standby.signal'), '');
  await primary.start();
  const login = `host=${primary.host} port=${primary.port} user=${primary.user} password=${primary.password}`;
  return runIn(dataDir, { ...options, settings: { ...options.settings, primary_conninfo: login } });
}

async function runIn(dataDir: string, options: PrivatePostgresOptions): Promise<PrivatePostgres> {
  const port = await findFreePort();
  const start = (settings = options.settings ?? {}) =>
    startPostgres({
      dataDir,
      port,
      superuserPassword: password,
      say,
      major: options.major ?? 18,
      settings,
    });
  let server = await start();
  return {
    url: server.url,
    host: server.host,
    port,
    user: server.user,
    password,
    dataDir,
    get server() {
      return server;
    },
    kill: () => server.kill(),
    stop: () => server.stop(),
    start: async (settings) => {
      server = await start(settings);
    },
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
