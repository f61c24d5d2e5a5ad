import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { findFreePort } from '../../bin/free-port.ts';
import { recordProcesses } from '../../bin/process-records.ts';
import { projectRoot } from '../../bin/system-services.ts';
import { findTemporalBinary } from '../../bin/temporal-binary.ts';
import { createApiKey } from '../../db/api-keys.ts';
import { closeDatabase, createDatabase } from '../../db/database.ts';
import { applyMigrations } from '../../db/migrate.ts';
import { keepProcess, type KeptProcess } from './kept-process.ts';
import { keepPostgres, keepTemporal, type KeptPostgres, type KeptTemporal } from './kept-server.ts';
import { runStatements } from './run-statements.ts';
import { startWireProxy, type WireProxy } from './wire-proxy.ts';

// The system under attack, each part a process of its own: three Postgres servers, Temporal, the API, two
// workers. Whatever ends is started again; nothing else is done for it.

export interface Installation extends AsyncDisposable {
  readonly vendor: KeptPostgres;
  readonly customers: KeptPostgres;
  readonly own: KeptPostgres;
  readonly temporal: KeptTemporal;
  readonly api: KeptProcess;
  readonly workers: readonly KeptProcess[];
  /** Between the workers and the vendor; between the workers and the customers. */
  readonly toVendor: WireProxy;
  readonly toCustomers: WireProxy;
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly ownUrl: string;
}

export interface InstallationOptions {
  /** Empty. Everything is kept in it. */
  readonly folder: string;
  readonly say: (line: string) => void;
}

const batchRows = 250;
const workerCount = 2;

/** Slow enough that a load of ten thousand rows takes several seconds. */
const bytesPerSecond = { fromVendor: 500_000, fromCustomers: 20_000_000 };

export async function startInstallation(options: InstallationOptions): Promise<Installation> {
  const parts = new AsyncDisposableStack();
  try {
    const installation = await startParts(options, parts);
    return { ...installation, [Symbol.asyncDispose]: () => parts.disposeAsync() };
  } catch (error) {
    await parts.disposeAsync();
    throw error;
  }
}

async function startParts(
  { folder, say }: InstallationOptions,
  parts: AsyncDisposableStack,
): Promise<Omit<Installation, typeof Symbol.asyncDispose>> {
  const env = process.env;
  const onPid = processRecorder(path.join(folder, 'processes.json'));
  const postgres = async (name: string) => parts.use(await keepPostgres(path.join(folder, name)));
  // One after the other: each makes a database, and a start that fails must find the others on the stack.
  const vendor = await postgres('vendor');
  const customers = await postgres('customers');
  const own = await postgres('own');
  const temporalFolder = path.join(folder, 'temporal');
  await mkdir(temporalFolder);
  const binary = await findTemporalBinary({ env, say });
  const temporal = parts.use(await keepTemporal({ binary, folder: temporalFolder, env, onPid }));
  const ownUrl = await createOwnDatabase(own);
  const apiKey = await createKey(ownUrl);
  const apiPort = await findFreePort();
  const settings = {
    ...env,
    WAYBILL_DATABASE_URL: ownUrl,
    WAYBILL_KEY: `torture:${randomBytes(32).toString('base64url')}`,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: 'default',
    WAYBILL_API_PORT: String(apiPort),
    WAYBILL_ALLOWED_NETWORKS: '127.0.0.0/8',
    WAYBILL_OWN_SERVICES: 'open',
    WAYBILL_BATCH_ROWS: String(batchRows),
    WAYBILL_SLICE_SECONDS: '10',
    WAYBILL_PROGRESS_SECONDS: '60',
    WAYBILL_DATA_SLOTS: '4',
  };
  const keep = async (name: string, role: 'api' | 'worker') =>
    parts.use(
      await keepProcess({
        name,
        command: process.execPath,
        args: [path.join(projectRoot, 'bin', `${role}.ts`)],
        env: settings,
        onPid,
        saysWhenReady: `${role} started`,
      }),
    );
  const api = await keep('api', 'api');
  const workers: KeptProcess[] = [];
  for (let number = 1; number <= workerCount; number += 1)
    workers.push(await keep(`worker ${number}`, 'worker'));
  const proxy = async (target: KeptPostgres, rate: number) =>
    parts.use(await startWireProxy({ targetPort: target.port, bytesPerSecond: rate }));
  return {
    ...{ vendor, customers, own, temporal, api, workers, ownUrl, apiKey },
    toVendor: await proxy(vendor, bytesPerSecond.fromVendor),
    toCustomers: await proxy(customers, bytesPerSecond.fromCustomers),
    apiUrl: `http://127.0.0.1:${apiPort}`,
  };
}

/** So that whoever cleans up after us, should we be killed, finds them all. */
function processRecorder(file: string): (name: string, pid: number) => void {
  const pids = new Map<string, number>();
  return (name, pid) => {
    pids.set(name, pid);
    recordProcesses(file, pids);
  };
}

async function createOwnDatabase(own: KeptPostgres): Promise<string> {
  await runStatements(urlOf(own, 'postgres'), [/*sql*/ `create database waybill`]);
  const url = urlOf(own, 'waybill');
  await applyMigrations(url);
  return url;
}

async function createKey(ownUrl: string): Promise<string> {
  const db = createDatabase(ownUrl, { connectionsMax: 1 });
  try {
    return (await createApiKey(db, { environment: 'prod', name: 'torture' })).key;
  } finally {
    await closeDatabase(db);
  }
}

/** As superuser, past the proxy. */
export function urlOf({ port, password }: KeptPostgres, database: string): string {
  return `postgres://postgres:${password}@127.0.0.1:${port}/${database}?options=-c%20timezone%3DUTC`;
}
