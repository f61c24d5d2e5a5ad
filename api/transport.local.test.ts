import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiKey } from '../db/api-keys.ts';
import type { TestApi } from '../test/harness/api.ts';
import { createTestApi, textAt } from '../test/harness/api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const unknownId = '0199aa00-0000-7000-8000-000000000001';

describe('200', () => {
  test('a valid key is answered with its environment', async () => {
    const prod = await api.call('GET', '/');
    const staging = await api.call('GET', '/', { key: api.keys.staging });
    expect(prod.body).toMatchObject({ status: 'success', data: { environment: 'prod' } });
    expect(staging.body).toMatchObject({ data: { environment: 'staging' } });
  });

  test.each([
    '/sources',
    '/export/sources',
    '//sources',
    '//export//sources/',
    '/sources/',
    '/sources?page_size=5',
  ])('%s is the list of sources', async (path) => {
    const answer = await api.call('GET', path);
    expect(answer.body).toMatchObject({
      status: 'success',
      data: { sources: [] },
      has_next: false,
    });
  });

  test.each([
    'text/plain;charset=UTF-8',
    'application/json',
    'application/x-www-form-urlencoded',
    undefined,
  ])('a body is JSON also as %s', async (contentType) => {
    const recipient = { name: 'R', id_in_provider_system: `of ${contentType}` };
    const headers = contentType === undefined ? {} : { 'Content-Type': contentType };
    const answer = await api.call('POST', '/recipients', { body: { recipient }, headers });
    expect(answer.status, answer.text).toBe(200);
  });

  test('the supported version may be named', async () => {
    const headers = { 'X-Prequel-Api-Version': '2023-12-01' };
    expect((await api.call('GET', '/', { headers })).status).toBe(200);
  });

  test('the process says that it runs and that all parts are there', async () => {
    expect((await api.call('GET', '/healthz', { key: null })).status).toBe(200);
    const ready = await api.call('GET', '/readyz', { key: null });
    expect(ready.body).toMatchObject({
      data: { database: 'ok', migrations: 'ok', temporal: 'ok' },
    });
  });
});

describe('204', () => {
  test.each(['/destinations', '/export/destinations/x', '/nowhere'])(
    'a preflight of %s needs no key',
    async (path) => {
      const { status, headers } = await api.call('OPTIONS', path, { key: null });
      expect(status).toBe(204);
      expect(headers.get('access-control-allow-origin')).toBe('*');
      const methods = headers.get('access-control-allow-methods') ?? '';
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
        expect(methods).toContain(method);
      const allowed = headers.get('access-control-allow-headers')?.toLowerCase() ?? '';
      for (const header of ['authorization', 'x-app-id', 'x-prequel-api-version', 'content-type']) {
        expect(allowed).toContain(header);
      }
      expect(allowed).not.toContain('x-api-key');
    },
  );
});

describe('400', () => {
  test.each([
    ['{"recipient": {"name": x}}', 'line 1, column 24'],
    ['{"recipient":\n  {"name": "a",}}', 'line 2, column 16'],
    ['{"recipient"', 'ends too early'],
    ['[', 'ends too early'],
    [new Uint8Array([0x7b, 0xff, 0x7d]), 'UTF-8'],
    ['['.repeat(100), 'nested deeper than 64'],
    ['{"recipient":{"name":"a\\u0000"}}', 'recipient.name'],
    ['{"recipient":{"name":"\\ud800"}}', 'recipient.name'],
    ['"text"', 'The body must be an object'],
  ])('a body that is no JSON of ours says where: %s', async (raw, place) => {
    const answer = await api.call('POST', '/recipients', { raw });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain(place);
  });

  test('another version is refused with the one we speak', async () => {
    const headers = { 'X-Prequel-Api-Version': '2022-01-01' };
    const answer = await api.call('GET', '/', { headers });
    expect(answer.status).toBe(400);
    expect(textAt(answer, 'message')).toContain('2023-12-01');
  });

  test.each(['/products/a%00b', '/sources?name=%00', '/models/%00'])(
    '%s holds a NUL',
    async (path) => {
      expect((await api.call('GET', path)).status).toBe(400);
    },
  );
});

describe('401', () => {
  const bad: [string, Record<string, string>, string][] = [
    ['no credential', {}, 'X-API-KEY'],
    ['an empty key', { 'X-API-KEY': '' }, 'X-API-KEY'],
    ['an unknown key', { 'X-API-KEY': `sk_prod_${'0'.repeat(32)}` }, 'unknown'],
    ['no key at all', { 'x-api-key': 'hello' }, 'unknown'],
    ['an empty bearer', { Authorization: 'Bearer ' }, 'scoped token'],
    ['a bearer', { Authorization: 'Bearer abc', 'X-APP-ID': 'localhost:3000' }, 'scoped token'],
  ];
  test.each(bad)('%s', async (_, headers, message) => {
    const answer = await api.call('GET', '/destinations', { key: null, headers });
    expect(answer.status).toBe(401);
    expect(answer.body).toMatchObject({ status: 'error', data: null });
    expect(textAt(answer, 'message')).toContain(message);
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
  });

  test('the key wins over a bearer', async () => {
    expect((await api.call('GET', '/', { headers: { Authorization: 'Bearer x' } })).status).toBe(
      200,
    );
  });
});

describe('404', () => {
  test.each([
    ['GET', '/nowhere'],
    ['GET', '/exports/sources'],
    ['GET', '/export/export/sources'],
    ['POST', '/destinations/a/b/c'],
    ['GET', '/sources/%F0%9F'],
    ['GET', `/sources/${unknownId}`],
    ['GET', '/sources/17'],
  ])('%s %s', async (method, path) => {
    const answer = await api.call(method, path);
    expect(answer.status).toBe(404);
    expect(answer.body).toMatchObject({ status: 'error', data: null });
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(answer.headers.get('x-request-id')).toBe(textAt(answer, 'request_id'));
  });
});

describe('405', () => {
  test('a known path names the methods it takes', async () => {
    const answer = await api.call('PUT', '/export/destinations/x/');
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('GET, PATCH, DELETE');
    expect(answer.body).toMatchObject({ status: 'error', data: null });
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
  });
});

describe('413', () => {
  test('a body of more than 32 MB, whatever length it claims', async () => {
    const raw = new Uint8Array(33 * 1024 * 1024).fill(0x20);
    const answer = await api.call('POST', '/recipients', { raw });
    expect(answer.status).toBe(413);
    expect(answer.body).toMatchObject({ status: 'error', data: null });
  });

  test('a body of just under 32 MB is read', async () => {
    const name = 'n'.repeat(31 * 1024 * 1024);
    const answer = await api.call('POST', '/recipients', { body: { recipient: { name } } });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('at most 255 characters');
  });
});

describe('500 and 503', () => {
  test('a fault of ours says nothing of the inside', async () => {
    const broken = await createTestApi({
      pendingMigrations: () => Promise.reject(new Error('password=hunter2')),
    });
    await using _ = broken;
    const answer = await broken.call('GET', '/readyz', { key: null });
    expect(answer.status).toBe(503);
    expect(answer.text).not.toContain('hunter2');
    expect(broken.logged.join()).not.toContain('hunter2');
  });

  test('readiness names each part that is missing', async () => {
    const waiting = await createTestApi({ pendingMigrations: async () => ['0007_more'] });
    await using _ = waiting;
    waiting.workflows.isAway = true;
    const answer = await waiting.call('GET', '/readyz', { key: null });
    expect(answer.status).toBe(503);
    expect(answer.body).toMatchObject({
      errors: [
        { path: 'migrations', message: expect.stringContaining('0007_more') },
        { path: 'temporal' },
      ],
    });
  });

  test('a database that takes no connection in time is away, not broken', async () => {
    const full = await createTestApi();
    await using _ = full;
    const { key } = await createApiKey(full.metadata.db, { environment: 'prod', name: 'other' });
    const late = new Error('timeout exceeded when trying to connect');
    full.metadata.db.$client.query = () => Promise.reject(late);
    const answer = await full.call('GET', '/sources', { key });
    expect(answer.status, answer.text).toBe(503);
  });

  test('without its database it says so, and keeps the details to itself', async () => {
    const alone = await createTestApi();
    await using _ = alone;
    await alone.metadata.db.$client.query(`alter table sources rename to hidden`);
    const answer = await alone.call('GET', '/sources');
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain('select');
    expect(answer.body).toMatchObject({
      status: 'error',
      request_id: answer.headers.get('x-request-id'),
    });
    expect(alone.logged.join()).toContain('42P01');
  });
});

test('a line is logged for each request, without its body and its key', async () => {
  const body = { recipient: { name: 'unlogged-name', id_in_provider_system: 'unlogged-id' } };
  const answer = await api.call('POST', '/export/recipients', { body });
  const requestId = answer.headers.get('x-request-id') ?? '';
  const line = api.logged.find((entry) => entry.includes(requestId)) ?? '';
  expect(JSON.parse(line)).toMatchObject({ method: 'POST', route: '/recipients', status: 200 });
  const all = api.logged.join();
  for (const secret of ['unlogged-name', 'unlogged-id', api.keys.prod])
    expect(all).not.toContain(secret);
});
