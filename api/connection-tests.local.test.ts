import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ConnectionReport } from '../domain/probe.ts';
import type { TestApi } from '../test/harness/api.ts';
import { at, createTestApi, textAt } from '../test/harness/api.ts';
import { makeDestination, makeRecipient, makeSource, unique } from '../test/harness/metadata.ts';

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const canary = 'canary-Zx9!@[]/?#"\\+&: p';

const works: ConnectionReport = {
  kind: 'connection',
  findings: [{ name: 'authenticate', status: 'ok', message: 'Logged in.', fix: undefined }],
  error: null,
};

const refused: ConnectionReport = {
  kind: 'connection',
  findings: [
    { name: 'connect', status: 'ok', message: 'Connected.', fix: undefined },
    {
      name: 'authenticate',
      status: 'error',
      message: 'The login was refused.',
      fix: 'Check the password.',
    },
  ],
  error: {
    error_code: 'WBL-AUTH',
    title: 'Login refused',
    blame: 'third_party',
    message: 'The login was refused. Correct it.',
    trace: 'destination_denied: authenticate',
  },
};

beforeEach(() => {
  api.workflows.report = works;
});

const postgres = {
  host: 'db.example.com',
  database: 'app',
  password_auth: { username: 'waybill', password: canary },
};

async function leftovers(): Promise<number> {
  const { rows } = await api.metadata.db.$client.query<{
    count: string;
  }>(/*sql*/ `select (select count(*) from probes)
      + (select count(*) from connections where expires_at is not null) as count`);
  return Number(rows[0]?.count);
}

/** Each way to ask, as the path and the body of the request. */
const asked: [
  string,
  () => Promise<{ path: string; body: object; noun: 'source' | 'destination' }>,
][] = [
  [
    'a new source',
    async () => ({
      path: '/test-source',
      body: { source: { vendor: 'postgres', name: 'x', postgres } },
      noun: 'source',
    }),
  ],
  [
    'a new destination',
    async () => ({
      path: '/test-destination',
      body: {
        destination: {
          vendor: 'postgres',
          name: 'x',
          recipient_id: '',
          enabled_models: ['*'],
          postgres,
        },
      },
      noun: 'destination',
    }),
  ],
  [
    'a stored source',
    async () => ({
      path: `/sources/${(await makeSource(api.metadata.db)).id}/test-connection`,
      body: {},
      noun: 'source',
    }),
  ],
  [
    'a stored source by its other path',
    async () => ({
      path: `/sources/${(await makeSource(api.metadata.db)).id}/test-source`,
      body: {},
      noun: 'source',
    }),
  ],
  [
    'a changed source',
    async () => ({
      path: `/sources/${(await makeSource(api.metadata.db)).id}/test-connection`,
      body: { source: { postgres: { host: 'other.example.com' } } },
      noun: 'source',
    }),
  ],
  [
    'a changed destination',
    async () => {
      const { db } = api.metadata;
      const { id } = await makeDestination(db, await makeRecipient(db));
      const body = {
        destination: { postgres: { schema: unique('other'), password_auth: { password: canary } } },
      };
      return { path: `/export/destinations/${id}/test-connection`, body, noun: 'destination' };
    },
  ],
];

describe('200', () => {
  test.each(asked)('%s that works, and nothing of the test is kept', async (_, ask) => {
    const { path, body, noun } = await ask();
    const answer = await api.call('POST', path, { body });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body).toMatchObject({
      status: 'success',
      data: {
        status: 'success',
        error: null,
        checks: [{ name: 'authenticate', status: 'ok', message: 'Logged in.', fix: null }],
        [noun]: { vendor: 'postgres', postgres: { port: 5432, use_ssh_tunnel: false } },
      },
    });
    expect(answer.text).not.toContain('canary');
    expect(api.workflows.probes.at(-1)).toMatchObject({ kind: noun, environment: 'prod' });
    expect(await leftovers()).toBe(0);
  });

  test.each(asked)(
    '%s that is refused: the envelope is a success, the outcome is not',
    async (_, ask) => {
      api.workflows.report = refused;
      const { path, body } = await ask();
      const answer = await api.call('POST', path, { body });
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({
        status: 'success',
        message: 'The login was refused.',
        data: {
          status: 'error',
          error: {
            error_code: 'WBL-AUTH',
            documentation_url: 'https://waybill.test/docs/errors#WBL-AUTH',
          },
        },
      });
    },
  );

  test('an unsaved object has null where it would be saved', async () => {
    const answer = await api.call('POST', '/test-destination', {
      body: { destination: { vendor: 'postgres', postgres } },
    });
    expect(answer.body).toMatchObject({
      data: { destination: { id: null, created_at: null, recipient_id: null } },
    });
  });

  test('what a test of a stored source said is kept with it', async () => {
    const { id } = await makeSource(api.metadata.db);
    api.workflows.report = refused;
    await api.call('POST', `/sources/${id}/test-connection`, { body: {} });
    const read = await api.call('GET', `/sources/${id}`);
    expect(at(read, 'data.source.is_reachable')).toBe(false);
    expect(textAt(read, 'data.source.last_checked_at')).toMatch(/Z$/);
  });
});

describe('400', () => {
  test.each<[string, object, string]>([
    ['/test-source', {}, 'source'],
    ['/test-source', { source: { postgres } }, 'source.vendor'],
    ['/test-source', { source: { vendor: 'postgres' } }, 'source.postgres'],
    [
      '/test-destination',
      { destination: { vendor: 'postgres', postgres: { ...postgres, port: 'x' } } },
      'destination.postgres.port',
    ],
    ['/test-destination', { destination: null }, 'destination'],
  ])('%s with %o', async (path, body, place) => {
    const answer = await api.call('POST', path, { body });
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body).toMatchObject({ errors: [{ path: place }] });
    expect(answer.text).not.toContain('canary');
    expect(await leftovers()).toBe(0);
  });
});

describe('503', () => {
  test.each(asked)('%s without a worker says so, and keeps nothing', async (_, ask) => {
    const { path, body } = await ask();
    api.workflows.report = undefined;
    const answer = await api.call('POST', path, { body });
    expect(answer.status).toBe(503);
    expect(answer.body).toMatchObject({
      status: 'error',
      data: null,
      message: 'No worker answered within 20 s.',
    });
    expect(await leftovers()).toBe(0);
  });
});
