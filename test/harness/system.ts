import type { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { pino } from 'pino';
import { silentMetrics } from '../../domain/metrics.ts';
import { createApp } from '../../api/app.ts';
import { usualRateLimits } from '../../api/rate-limits.ts';
import type { ActivityDeps, WorkLimits } from '../../activities/deps.ts';
import type { FetchCallback } from '../../bin/http-server.ts';
import { createReach, hostKeysOf } from '../../bin/reach.ts';
import { createWorkflowPort } from '../../bin/temporal-port.ts';
import type { Work } from '../../bin/work.ts';
import { createWork } from '../../bin/work.ts';
import type { ConnectorRegistry } from '../../connectors/connector.ts';
import { connectors } from '../../connectors/registry.ts';
import { usualMachineTypes } from '../../domain/machine-type.ts';
import { createKeyPool } from '../../lib/key-pair.ts';
import { createApiKey } from '../../db/api-keys.ts';
import { environmentSettings } from '../../db/settings-schema.ts';
import { environments, type Environment } from '../../domain/statuses.ts';
import type { Metadata } from './metadata.ts';
import { createMetadata, testSealer } from './metadata.ts';
import type { TestTemporal } from './temporal.ts';
import { createTestTemporal } from './temporal.ts';

// A whole Waybill: our database, a Temporal namespace, the API and a worker, with the real connectors.

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { forward: {}, filter: 'ERROR' } },
});

export interface SystemOptions {
  readonly limits?: Partial<WorkLimits>;
  /** `none`: the test brings its own, see `spawnWorker`. */
  readonly worker?: 'here' | 'none';
  /** Of every source, in place of its own: 0 leaves the fence alone to find what commits late. */
  readonly lookbackSeconds?: number;
  /** Whether destinations have schedules. Without them a run about midnight meets no transfer but its own. */
  readonly hasSchedules?: boolean;
}

export interface Answer<T> {
  readonly status: number;
  readonly message: string;
  readonly data: T;
}

export interface System extends AsyncDisposable {
  readonly metadata: Metadata;
  readonly temporal: TestTemporal;
  readonly client: Client;
  /** What the API and the worker wrote to their logs, line by line. */
  readonly logged: string[];
  /** Every answer of the API, as text. */
  readonly answered: string[];
  /** The API as a server calls it. */
  readonly fetch: FetchCallback;
  readonly keys: Readonly<Record<Environment, string>>;
  /** With the key of prod. @throws where the API refuses, unless asked for the bare answer by `ask`. */
  api<T>(method: string, path: string, body?: unknown): Promise<T>;
  ask<T>(request: ApiRequest): Promise<Answer<T>>;
}

export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly environment?: Environment;
}

const usualLimits: WorkLimits = {
  sliceMs: 60_000,
  batchBytesMax: 1024 * 1024,
  batchRowsMax: 1000,
  progressMs: 60_000,
  queueHoursMax: 24,
  transferDaysKept: 90,
  auditDaysKept: 400,
};

/** Starts it all. Dispose of it in `afterAll`, or with `await using`. */
export async function createSystem(options: SystemOptions = {}): Promise<System> {
  const metadata = await createMetadata();
  const temporal = await createTestTemporal();
  const logged: string[] = [];
  const answered: string[] = [];
  const log = pino({ level: 'info' }, { write: (line) => void logged.push(line) });
  const workflows = createWorkflowPort(temporal.client, temporal.taskQueues);
  const deps = { db: metadata.db, sealer: testSealer, workflows, log };
  const app = createApp({
    ...deps,
    keyPairs: createKeyPool(0),
    machineTypes: usualMachineTypes,
    registry: connectors,
    publicUrl: 'http://waybill.test',
    temporalUiUrl: undefined,
    rateLimits: usualRateLimits,
    pendingMigrations: async () => [],
  });
  const keys = await createKeys(metadata);
  if (options.hasSchedules !== true) await stopSchedules(metadata);
  const { prod, staging } = keys;
  const ask = async <T>(request: ApiRequest): Promise<Answer<T>> => {
    const { method, path, body, headers, environment } = request;
    const response = await app.request(path, {
      method,
      headers: { 'X-API-KEY': environment === 'staging' ? staging : prod, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    answered.push(text);
    const { message, data } = JSON.parse(text) as { message: string; data: T };
    return { status: response.status, message, data };
  };
  const worker =
    options.worker === 'none'
      ? undefined
      : await startWorkHere(temporal, {
          ...deps,
          publicUrl: 'http://waybill.test',
          metrics: silentMetrics,
          limits: { ...usualLimits, ...options.limits },
          connectors: withLookback(options.lookbackSeconds),
        });
  return {
    metadata,
    temporal,
    client: temporal.client,
    logged,
    answered,
    fetch: (request, env) => app.fetch(request, env),
    keys,
    ask,
    async api<T>(method: string, path: string, body?: unknown): Promise<T> {
      const { status, message, data } = await ask<T>({ method, path, body });
      if (status >= 300) throw new Error(`${method} ${path}: ${status} ${message}`);
      return data;
    },
    async [Symbol.asyncDispose]() {
      await worker?.stop();
      await temporal[Symbol.asyncDispose]();
      await metadata[Symbol.asyncDispose]();
    },
  };
}

async function stopSchedules({ db }: Metadata): Promise<void> {
  const rows = environments.map((environment) => ({ environment, automaticTransfers: false }));
  await db.insert(environmentSettings).values(rows);
}

async function createKeys({ db }: Metadata): Promise<Record<Environment, string>> {
  const make = async (environment: Environment) =>
    (await createApiKey(db, { environment, name: `test ${environment}` })).key;
  return { prod: await make('prod'), staging: await make('staging') };
}

function withLookback(lookbackSeconds: number | undefined): ConnectorRegistry {
  if (lookbackSeconds === undefined) return connectors;
  const changed = [...connectors].map(([kind, declaration]) => {
    const load = async () => {
      const { source, ...rest } = await declaration.load();
      return source === undefined ? rest : { ...rest, source: { ...source, lookbackSeconds } };
    };
    return [kind, { ...declaration, load }] as const;
  });
  return new Map(changed);
}

type WorkDeps = Omit<ActivityDeps, 'reach' | 'isDraining'>;

async function startWorkHere(
  { address, namespace, taskQueues }: TestTemporal,
  deps: WorkDeps,
): Promise<{ stop: () => Promise<void> }> {
  const connection = await NativeConnection.connect({ address });
  // All servers of a test run are on this machine, and one of them holds our own database too.
  const config = {
    allowedNetworks: ['127.0.0.0/8'],
    ownServicesOpen: true,
    databaseUrl: 'postgres://unused',
    temporal: { address, namespace },
  };
  const reach = createReach(config, hostKeysOf(deps.db));
  const work: Work = await createWork({
    connection,
    namespace,
    taskQueues,
    dataSlots: 4,
    graceMs: 1000,
    deps: { ...deps, reach },
  });
  const running = work.run();
  return {
    async stop() {
      work.stop();
      await running;
      await connection.close();
    },
  };
}
