import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import {
  startPostgres,
  type PostgresMajor,
  type PostgresServer,
} from '../../bin/embedded-postgres.ts';
import { recordProcesses } from '../../bin/process-records.ts';
import { findTemporalBinary } from '../../bin/temporal-binary.ts';
import { startTemporal } from '../../bin/temporal-server.ts';
import { must } from '../../lib/must.ts';
import { createRunFolder, removeRunFolder } from './run-folder.ts';
import type { PostgresAddress } from './servers.ts';

const password = 'test';

/** What the tests of prepared transactions and replication need is on everywhere. */
const settings = { max_prepared_transactions: '20', wal_level: 'logical', shared_buffers: '64MB' };

/** Made beforehand, one for each file that asks: a namespace made later knows its search attributes late. */
const namespaces = Array.from({ length: 80 }, (_, index) => `test-${index}`);

const say = (line: string) => process.stderr.write(`${line}\n`);

/** Starts one Temporal and one Postgres 18 for all test files; older majors when a test asks for them. */
export async function setup(project: TestProject): Promise<() => void> {
  const folder = await createRunFolder();
  removeAtTheEnd(folder);
  try {
    const postgres = createPostgresServers(folder);
    const [temporal] = await Promise.all([startTestTemporal(folder), postgres.get(18)]);
    const control = await startControl(createAnswer(postgres.get));
    project.provide('servers', { ...temporal, folder, controlUrl: control.url });
    return () => {
      control.server.close();
      removeRunFolder(folder);
    };
  } catch (error) {
    removeRunFolder(folder);
    throw error;
  }
}

/** vitest ends on a signal without its teardown. */
function removeAtTheEnd(folder: string): void {
  process.once('exit', () => removeRunFolder(folder));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      removeRunFolder(folder);
      process.kill(process.pid, signal);
    });
  }
}

async function startTestTemporal(folder: string): Promise<{ temporalAddress: string }> {
  const env = process.env;
  const binary = await findTemporalBinary({ env, say });
  const server = await startTemporal({ binary, env, folder, inMemory: true, namespaces });
  recordProcesses(path.join(folder, 'processes.json'), new Map([['temporal', server.pid]]));
  return { temporalAddress: server.address };
}

function createPostgresServers(folder: string): {
  get: (major: PostgresMajor) => Promise<PostgresAddress>;
} {
  const started = new Map<PostgresMajor, Promise<PostgresServer>>();
  const start = (major: PostgresMajor) =>
    startPostgres({
      dataDir: path.join(folder, `postgres-${major}`),
      superuserPassword: password,
      major,
      settings,
      say,
    });
  return {
    get: async (major) => {
      const known = started.get(major) ?? start(major);
      started.set(major, known);
      const { host, port, user } = await known;
      return { host, port, user, password };
    },
  };
}

type Answer = (what: string) => Promise<unknown>;

function createAnswer(getPostgres: (major: PostgresMajor) => Promise<PostgresAddress>): Answer {
  const free = [...namespaces];
  return async (what) => {
    if (what === 'namespace')
      return { namespace: must(free.shift(), 'a test namespace that is free') };
    return getPostgres(Number(what) as PostgresMajor);
  };
}

/** Test files run in processes of their own; here they ask for what is given out once or started late. */
async function startControl(answer: Answer): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    answer((request.url ?? '/').slice(1)).then(
      (given) => response.end(JSON.stringify(given)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}
