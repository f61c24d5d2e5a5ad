import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild } from './child.ts';
import { startPostgres } from './embedded-postgres.ts';
import type { Secrets, StateDir } from './state-dir.ts';
import type { Service } from './supervisor.ts';
import { startTemporal } from './temporal-server.ts';

export type Role = 'api' | 'worker' | 'temporal' | 'postgres';

/** Where the parts are; fixed while the system runs, restarts included. */
export interface Addresses {
  readonly apiPort: number;
  readonly apiUrl: string;
  readonly temporalPort: number;
  readonly temporalAddress: string;
  readonly temporalUiPort: number;
  readonly temporalUiUrl: string;
  readonly databasePort: number;
}

/** All that the parts are started from. */
export interface Setup {
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
  readonly state: StateDir;
  readonly addresses: Addresses;
  readonly secrets: Secrets;
  readonly temporalBinary: string;
}

export const projectRoot = fileURLToPath(new URL('..', import.meta.url));

/** Longer than the worker takes to hand back what it is doing. */
const drainMs = 30_000;
const metadataDatabase = 'waybill';
/** The databases of a system for one person are on the same machine. */
const localNetworks = '127.0.0.0/8,::1/128';

export function postgresService({ state, secrets, addresses, say }: Setup): Service {
  return {
    role: 'postgres',
    title: 'Postgres',
    start: () =>
      startPostgres({
        dataDir: state.file('postgres'),
        port: addresses.databasePort,
        superuserPassword: secrets.postgresPassword,
        say,
      }),
  };
}

export function temporalService(setup: Setup, onPid: (role: Role, pid: number) => void): Service {
  const { state, addresses, env, temporalBinary } = setup;
  return {
    role: 'temporal',
    title: 'Temporal',
    start: async () => {
      const folder = state.file('temporal');
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      return startTemporal({
        binary: temporalBinary,
        env,
        folder,
        port: addresses.temporalPort,
        uiPort: addresses.temporalUiPort,
        onPid: (pid) => onPid('temporal', pid),
      });
    },
  };
}

/**
 * Most of what our processes take is young objects kept for long and memory that threads hold back
 * (measured: a worker at rest 180 instead of 240 MB). package.json and docker-compose.yml say the same.
 */
const thrift = { flags: ['--max-semi-space-size=1'], env: { MALLOC_ARENA_MAX: '2' } };

/** A process of ours: `bin/api.ts` or `bin/worker.ts` on this Node. */
export function nodeService(
  setup: Setup,
  role: 'api' | 'worker',
  onLog: (role: Role, line: string) => void,
): Service {
  return {
    role,
    title: role === 'api' ? 'The API' : 'The worker',
    start: async () => {
      const child = await startChild({
        command: process.execPath,
        args: [...thrift.flags, path.join(projectRoot, 'bin', `${role}.ts`)],
        env: { ...thrift.env, ...nodeEnvironment(setup) },
        cwd: projectRoot,
        output: { onLine: (line) => onLog(role, line) },
      });
      return { pid: child.pid, exited: child.exited, stop: () => child.stop('SIGTERM', drainMs) };
    },
  };
}

/** Of our metadata. */
export function databaseUrl(setup: Setup, database = metadataDatabase): string {
  const { secrets, addresses } = setup;
  return `postgres://postgres:${secrets.postgresPassword}@127.0.0.1:${addresses.databasePort}/${database}`;
}

/** What all our processes must agree on; the rest comes from whoever started us. */
export function nodeEnvironment(setup: Setup): NodeJS.ProcessEnv {
  const { env, secrets, addresses } = setup;
  const networks = [localNetworks, env['WAYBILL_ALLOWED_NETWORKS'] ?? ''].filter(
    (each) => each !== '',
  );
  return {
    ...env,
    WAYBILL_DATABASE_URL: databaseUrl(setup),
    WAYBILL_KEY: secrets.sealKey,
    TEMPORAL_ADDRESS: addresses.temporalAddress,
    TEMPORAL_NAMESPACE: 'default',
    WAYBILL_API_HOST: '127.0.0.1',
    WAYBILL_API_PORT: String(addresses.apiPort),
    WAYBILL_PUBLIC_URL: addresses.apiUrl,
    WAYBILL_TEMPORAL_UI_URL: addresses.temporalUiUrl,
    WAYBILL_ALLOWED_NETWORKS: networks.join(','),
    // The server of our metadata also holds the databases that people try Waybill with.
    WAYBILL_OWN_SERVICES: 'open',
  };
}
