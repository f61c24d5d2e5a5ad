import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import pg from 'pg';
import { pino } from 'pino';
import { createApp } from '../../api/app.ts';
import { usualRateLimits } from '../../api/rate-limits.ts';
import type { ApiClient } from '../../bin/demo-api.ts';
import { startPostgres, type PostgresServer } from '../../bin/embedded-postgres.ts';
import { findTemporalBinary } from '../../bin/temporal-binary.ts';
import { createWorkflowPort } from '../../bin/temporal-port.ts';
import { startTemporal, type TemporalServer } from '../../bin/temporal-server.ts';
import { copyEnvironment } from '../../config.ts';
import { connectors } from '../../connectors/registry.ts';
import { createApiKey } from '../../db/api-keys.ts';
import { closeDatabase, createDatabase } from '../../db/database.ts';
import { applyMigrations } from '../../db/migrate.ts';
import { Failure } from '../../domain/failure.ts';
import { taskQueuesOf } from '../../domain/temporal-names.ts';
import { usualMachineTypes } from '../../domain/machine-type.ts';
import { createKeyPool } from '../../lib/key-pair.ts';
import { createSealer } from '../../lib/seal.ts';
import { world } from './world-connector.ts';

/** The parts that every simulation needs: our database, Temporal and the API; workers come and go. */
export interface Stand {
  /** The API without a socket: the same routes, checks and statements. */
  readonly api: ApiClient;
  readonly temporal: TemporalServer;
  readonly client: Client;
  readonly postgres: PostgresServer;
  /** A session in our database, for counting. */
  readonly sql: pg.Client;
  /** What a worker has to be told. */
  readonly workerEnv: NodeJS.ProcessEnv;
  readonly temporalFolder: string;
}

export interface StandOptions {
  readonly folder: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Counts every statement, those that begin and commit among them. */
export const counting = {
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.max': '10000',
  'pg_stat_statements.track': 'top',
} as const;

/** Starts it all over an empty folder. What was started is stopped by the stack. */
export async function startStand(
  options: StandOptions,
  stack: AsyncDisposableStack,
): Promise<Stand> {
  const { folder, say, signal } = options;
  const env = copyEnvironment();
  const binary = await findTemporalBinary({ env, say, signal });
  const temporalFolder = path.join(folder, 'temporal');
  await mkdir(temporalFolder, { recursive: true });
  const postgres = await startPostgres({
    dataDir: path.join(folder, 'postgres'),
    superuserPassword: randomBytes(18).toString('base64url'),
    settings: counting,
    say,
  });
  stack.defer(() => postgres.stop());
  const temporal = await startTemporal({ binary, env, folder: temporalFolder });
  stack.defer(() => temporal.stop());
  const databaseUrl = await createOurDatabase(postgres);
  const sql = new pg.Client({ connectionString: databaseUrl, application_name: 'simulation' });
  await sql.connect();
  stack.defer(() => sql.end());
  await sql.query(/*sql*/ `create extension pg_stat_statements`);
  const connection = await Connection.connect({ address: temporal.address });
  stack.defer(() => connection.close());
  const client = new Client({ connection, namespace: 'default' });
  const sealKey = randomBytes(32);
  const api = await startApi({ databaseUrl, client, sealKey }, stack);
  const workerEnv = {
    ...env,
    WAYBILL_DATABASE_URL: databaseUrl,
    WAYBILL_KEY: `simulation:${sealKey.toString('base64url')}`,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: 'default',
    WAYBILL_ALLOWED_NETWORKS: '127.0.0.0/8',
    WAYBILL_OWN_SERVICES: 'open',
  };
  return { api, temporal, client, postgres, sql, workerEnv, temporalFolder };
}

async function createOurDatabase(postgres: PostgresServer): Promise<string> {
  const admin = new pg.Client({ connectionString: postgres.url });
  await admin.connect();
  try {
    await admin.query(/*sql*/ `create database waybill`);
  } finally {
    await admin.end();
  }
  const url = new URL(postgres.url);
  url.pathname = '/waybill';
  await applyMigrations(url.href);
  return url.href;
}

interface ApiParts {
  readonly databaseUrl: string;
  readonly client: Client;
  readonly sealKey: Buffer;
}

async function startApi(parts: ApiParts, stack: AsyncDisposableStack): Promise<ApiClient> {
  const db = createDatabase(parts.databaseUrl);
  stack.defer(() => closeDatabase(db));
  const app = createApp({
    db,
    sealer: createSealer([{ id: 'simulation', key: parts.sealKey }]),
    workflows: createWorkflowPort(parts.client, taskQueuesOf()),
    keyPairs: createKeyPool(0),
    machineTypes: usualMachineTypes,
    registry: new Map([...connectors, [world.kind, world]]),
    publicUrl: 'http://simulation.invalid',
    temporalUiUrl: undefined,
    rateLimits: usualRateLimits,
    log: pino({ level: 'silent' }),
    pendingMigrations: async () => [],
  });
  const { key } = await createApiKey(db, { environment: 'prod', name: 'simulation' });
  return {
    call: async ({ method, path: route, body, part }) => {
      const response = await app.request(route, {
        method,
        headers: { 'X-API-KEY': key, 'Content-Type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const answer = (await response.json()) as { data: Record<string, unknown>; message: string };
      if (!response.ok) throw new Failure('invalid', `${method} ${route}: ${answer.message}`);
      // The shape is the API's contract, which its own tests hold.
      return answer.data[part] as never;
    },
  };
}
