import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { silentMetrics } from '../domain/metrics.ts';
import type { Reach } from '../connectors/connector.ts';
import { postgres } from '../connectors/postgres/declaration.ts';
import { insertConnection } from '../db/connections.ts';
import { getProbe, insertProbe } from '../db/probes.ts';
import type { ConnectionReport } from '../domain/probe.ts';
import { createGuard, openSocket } from '../lib/guard.ts';
import { createTestDatabase, runSql, type TestDatabase } from '../test/harness/database.ts';
import { createMetadata, testSealer, type Metadata } from '../test/harness/metadata.ts';
import { settingsOf } from '../test/harness/postgres-ends.ts';
import { checkConnection } from './check-connection.ts';
import type { StepDeps } from './deps.ts';

let metadata: Metadata;
let place: TestDatabase;

beforeAll(async () => {
  metadata = await createMetadata();
  place = await createTestDatabase();
  await runSql(
    place.url,
    `do $$ begin
       if not exists (select from pg_roles where rolname = 'poor') then
         create role poor login password 'poor';
       end if;
     end $$`,
  );
  await runSql(place.url, 'create schema landing');
});

afterAll(async () => {
  await place.drop();
  await metadata[Symbol.asyncDispose]();
});

const guard = createGuard({ allowedNetworks: ['127.0.0.0/8'], forbidden: [] });
const reach: Reach = {
  socket: async ({ host, port, timeoutMs }) =>
    openSocket(await guard.resolve(host, port), { timeoutMs }),
};

type Kind = 'source' | 'destination';

async function check(kind: Kind, changes: object): Promise<ConnectionReport> {
  const { password_auth, ...open } = { ...settingsOf(place), schema: 'landing', ...changes };
  const { username, password } = password_auth;
  const { db } = metadata;
  const connectionId = await insertConnection(db, {
    environment: 'prod',
    role: kind,
    vendor: 'postgres',
    settings: { ...open, password_auth: { username } },
    secrets: { password_auth: { password } },
    sealer: testSealer,
  });
  const probe = { environment: 'prod' as const, kind, connectionId };
  const probeId = await insertProbe(db, { ...probe, input: {} });
  await checkConnection(depsOf(), { ...probe, probeId });
  const { result } = await getProbe(db, { environment: 'prod', id: probeId });
  return result as ConnectionReport;
}

function depsOf(): StepDeps {
  const unused = undefined as never;
  return {
    db: metadata.db,
    connectors: new Map([[postgres.kind, postgres]]),
    sealer: testSealer,
    reach,
    workflows: unused,
    limits: unused,
    publicUrl: unused,
    metrics: silentMetrics,
    isDraining: () => false,
    log: pino({ enabled: false }),
    signal: new AbortController().signal,
    attempt: 1,
    workflowRunId: 'run',
    beat: () => undefined,
  };
}

const poor = { username: 'poor', password: 'poor' };

const failing: [string, Kind, object, string][] = [
  ['a host that does not resolve', 'source', { host: 'nowhere.invalid' }, 'WBL-HOST'],
  ['an address that is closed to us', 'destination', { host: '10.0.0.1' }, 'WBL-CONN'],
  ['a port where nobody listens', 'source', { port: 1 }, 'WBL-CONN'],
  ['a server without TLS', 'destination', { disable_ssl: false }, 'WBL-TLSX'],
  ['a wrong password', 'source', { password_auth: { ...poor, password: 'x' } }, 'WBL-AUTH'],
  ['a database that is not there', 'destination', { database: 'not_there' }, 'WBL-MISS'],
  ['a schema that is not there', 'source', { schema: 'not_there' }, 'WBL-MISS'],
  ['a schema that may not be read', 'source', { password_auth: poor }, 'WBL-PERM'],
  ['a schema that may not be written', 'destination', { password_auth: poor }, 'WBL-PERM'],
];

test.each(failing)('%s has the code of what is wrong', async (_, kind, changes, code) => {
  const { error } = await check(kind, changes);
  const blame = kind === 'source' ? 'first_party' : 'third_party';
  expect(error).toMatchObject({ error_code: code, blame });
});

test('who cannot be reached is not asked to correct a login', async () => {
  const { error } = await check('source', { port: 1 });
  expect(error?.message).toContain('Check that the source is up');
});

test('a missing right comes with the statement that grants it', async () => {
  const { error } = await check('destination', { password_auth: poor });
  expect(error?.message).toContain('Run: grant usage, create on schema "landing" to "poor";');
});

test.each(['source', 'destination'] as const)('a %s that works has no error', async (kind) => {
  expect(await check(kind, {})).toMatchObject({ error: null });
});
