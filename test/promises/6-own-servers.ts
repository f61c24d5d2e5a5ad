import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { startChild, type Child } from '../../bin/child.ts';
import { findFreePort } from '../../bin/free-port.ts';
import { findTemporalBinary } from '../../bin/temporal-binary.ts';
import { startTemporal, type TemporalServer } from '../../bin/temporal-server.ts';
import { createApiKey } from '../../db/api-keys.ts';
import { closeDatabase, createDatabase } from '../../db/database.ts';
import { applyMigrations } from '../../db/migrate.ts';
import type { TestDatabase } from '../harness/database.ts';
import type { PrivatePostgres } from '../harness/postgres-process.ts';
import { startPrivatePostgres } from '../harness/postgres-process.ts';
import { testServers } from '../harness/servers.ts';
import type { System } from '../harness/system.ts';
import { connect } from '../harness/vendor.ts';
import type { WorkerProcess } from '../harness/worker-process.ts';
import { spawnWorker } from '../harness/worker-process.ts';

// A whole Waybill of processes that no other test touches, each of which can be killed and started again.

/** Something that runs and can be killed, as a power cut would, and started again. */
export interface Killable {
  kill(): Promise<void>;
  start(): Promise<void>;
}

export interface OwnServers extends AsyncDisposable {
  /** As clients know it: a call is made again while the API or what it needs is away. */
  readonly system: System;
  readonly source: PrivatePostgres;
  readonly destination: PrivatePostgres;
  readonly parts: Readonly<
    Record<'source' | 'destination' | 'database' | 'temporal' | 'api' | 'worker', Killable>
  >;
  /** Temporal dies and comes back at its address without anything that it knew. */
  loseTemporal(): Promise<void>;
}

const namespace = 'default';
const callMs = 60_000;
const pollMs = 100;

export async function startOwnServers(
  settings: Readonly<Record<string, string>>,
): Promise<OwnServers> {
  const [metadata, source, destination, temporal] = await Promise.all([
    startPrivatePostgres(),
    startPrivatePostgres(),
    startPrivatePostgres(),
    createTemporal(),
  ]);
  await applyMigrations(metadata.url);
  const key = await createKey(metadata.url);
  const port = await findFreePort();
  const { api, ask } = createClient(`http://127.0.0.1:${port}`, key);
  const known: Partial<System> = {
    metadata: { url: metadata.url } as System['metadata'],
    temporal: { address: temporal.address, namespace } as System['temporal'],
    api,
    ask,
  };
  const system = known as System;
  const apiProcess = createApiProcess(system, port);
  const worker = createWorker(system, settings);
  await apiProcess.start();
  await worker.start();
  const postgres = (server: PrivatePostgres): Killable => ({
    kill: () => server.kill(),
    start: () => server.start(),
  });
  return {
    ...{ system, source, destination },
    parts: {
      ...{ source: postgres(source), destination: postgres(destination) },
      ...{ database: postgres(metadata), temporal, api: apiProcess, worker },
    },
    loseTemporal: async () => {
      await temporal.kill();
      await temporal.forget();
      await temporal.start();
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([worker.kill(), apiProcess.kill(), temporal.kill()]);
      for (const server of [metadata, source, destination]) await server[Symbol.asyncDispose]();
    },
  };
}

/** Keeps its own database, so that it goes on where it was killed, at the same address. */
async function createTemporal(): Promise<Killable & { address: string; forget(): Promise<void> }> {
  const folder = path.join(testServers().folder, `temporal-${randomUUID()}`);
  await mkdir(folder);
  const { env } = process;
  const binary = await findTemporalBinary({ env, say: () => undefined });
  const port = await findFreePort();
  const start = () => startTemporal({ binary, env, folder, port });
  let server: TemporalServer = await start();
  return {
    address: server.address,
    kill: async () => {
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
    },
    start: async () => {
      server = await start();
    },
    forget: async () => {
      await rm(folder, { recursive: true });
      await mkdir(folder);
    },
  };
}

async function createKey(url: string): Promise<string> {
  const db = createDatabase(url);
  const { key } = await createApiKey(db, { environment: 'prod', name: 'own servers' });
  await closeDatabase(db);
  return key;
}

function createClient(url: string, key: string): Pick<System, 'api' | 'ask'> {
  const ask: System['ask'] = async ({ method, path: where, body, headers }) => {
    const response = await fetch(`${url}${where}`, {
      method,
      headers: { 'X-API-KEY': key, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const { message, data } = (await response.json()) as { message: string; data: never };
    return { status: response.status, message, data };
  };
  const api: System['api'] = async (method, where, body) => {
    const deadline = Date.now() + callMs;
    for (;;) {
      const answer = await ask<never>({ method, path: where, body }).catch(() => undefined);
      if (answer !== undefined && answer.status < 300) return answer.data;
      const isAway = answer === undefined || answer.status >= 500;
      if (!isAway || Date.now() > deadline)
        throw new Error(`${method} ${where}: ${answer?.status} ${answer?.message}`);
      await sleep(pollMs);
    }
  };
  return { api, ask };
}

function createApiProcess({ metadata, temporal }: System, port: number): Killable {
  const entry = fileURLToPath(new URL('../../bin/api.ts', import.meta.url));
  let child: Child | undefined;
  return {
    kill: async () => child?.stop('SIGKILL', 0),
    start: async () => {
      child = await startChild({
        command: process.execPath,
        args: [entry],
        env: {
          ...process.env,
          WAYBILL_DATABASE_URL: metadata.url,
          // Of `testSealer`, as the worker's.
          WAYBILL_KEY: `test:${Buffer.alloc(32, 7).toString('base64url')}`,
          WAYBILL_API_PORT: String(port),
          TEMPORAL_ADDRESS: temporal.address,
          TEMPORAL_NAMESPACE: temporal.namespace,
        },
        output: { onLine: () => undefined },
      });
    },
  };
}

function createWorker(system: System, settings: Readonly<Record<string, string>>): Killable {
  let worker: WorkerProcess | undefined;
  return {
    kill: async () => worker?.kill(),
    start: async () => {
      worker = await spawnWorker(system, settings);
    },
  };
}

/** The database that every server has, as the parts of the harness know one. */
export function databaseOf({ host, port, user, password, url }: PrivatePostgres): TestDatabase {
  const drop = async () => undefined;
  return {
    ...{ host, port, user, password, url, drop },
    name: 'postgres',
    [Symbol.asyncDispose]: drop,
  };
}

/** A session for one piece of work: the server may be killed before the next. */
export async function inSession<T>(
  server: PrivatePostgres,
  work: (sql: pg.Client) => Promise<T>,
): Promise<T> {
  const sql = await connect(databaseOf(server));
  try {
    return await work(sql);
  } finally {
    await sql.end();
  }
}
