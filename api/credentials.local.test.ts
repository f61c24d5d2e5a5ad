import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiKey } from '../db/api-keys.ts';
import { scopeNeeded } from '../domain/key-scopes.ts';
import type { TestApi } from '../test/harness/api.ts';
import { createTestApi, textAt } from '../test/harness/api.ts';
import { makeRecipient } from '../test/harness/metadata.ts';
import { listOperations } from '../test/harness/request-arbitrary.ts';
import { createApp } from './app.ts';
import { describeApi } from './openapi.ts';
import { createRouter } from './router.ts';

// Every route × every kind of credential. A route that is added here has to be added on purpose.

/** What a scoped token reaches, beside the routes that need no credential. */
const tokenRoutes = [
  'GET /destinations-for-recipient',
  'POST /destinations',
  'GET /destinations/{destination_id}',
  'PATCH /destinations/{destination_id}',
  'DELETE /destinations/{destination_id}',
  'GET /destinations/{destination_id}/transfers',
  'POST /destinations/{destination_id}/test-connection',
  'GET /models',
  'GET /models-for-recipient',
  'GET /products',
  'POST /test-destination',
  'GET /transfers/{transfer_id}',
];

const openRoutes = /^(GET \/(healthz|readyz)|\w+ \/public\/.*|POST \/actions\/generate-ssh-key)$/;

let api: TestApi;
let routes: { name: string; method: string; path: string; body: object | undefined }[];
let token: string;

beforeAll(async () => {
  api = await createTestApi();
  const document = describeApi(createApp(api.deps), api.deps);
  routes = listOperations(document).map(({ method, path, body }) => ({
    name: `${method} ${path}`,
    method,
    path: path.replaceAll(/\{[^}]+\}/g, '0199aa00-0000-7000-8000-000000000001'),
    body: body && {},
  }));
  const recipient = await makeRecipient(api.metadata.db);
  const minted = await api.call('POST', '/actions/generate-scoped-auth-token', {
    body: { application_origin: 'https://app.example.com', recipient_id: recipient.id },
  });
  token = textAt(minted, 'data.scoped_token');
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

async function statusOf(route: (typeof routes)[number], headers: Record<string, string>) {
  const { method, path, body } = route;
  return (await api.call(method, path, { key: null, headers, ...(body && { body }) })).status;
}

const bearer = (text: string) => ({
  Authorization: `Bearer ${text}`,
  'X-APP-ID': 'app.example.com',
});
const closed = () => routes.filter(({ name }) => !openRoutes.test(name));

describe('every route that is not open to anybody', () => {
  test.each([
    ['nothing', {}],
    ['an unknown key', { 'X-API-KEY': `sk_prod_${'0'.repeat(32)}` }],
    ['a malformed key', { 'X-API-KEY': 'hello' }],
    ['an empty token', bearer('')],
    ['an unknown token', bearer(`wbt_${'A'.repeat(43)}`)],
    ['a malformed token', bearer('hello')],
    ['basic authorization', { Authorization: 'Basic aGVsbG8=', 'X-APP-ID': 'app.example.com' }],
  ])('answers 401 to %s', async (_, headers) => {
    for (const route of closed()) {
      expect(await statusOf(route, headers as Record<string, string>), route.name).toBe(401);
    }
  });

  test('answers 401 to a token without its page, and 403 to one from another page', async () => {
    for (const route of closed()) {
      const { Authorization } = bearer(token);
      expect(await statusOf(route, { Authorization }), route.name).toBe(401);
      const elsewhere = { Authorization, 'X-APP-ID': 'evil.example.com' };
      expect(await statusOf(route, elsewhere), route.name).toBe(403);
    }
  });

  test('lets a token through where the contract says so, and nowhere else', async () => {
    const reached: string[] = [];
    for (const route of closed()) {
      const status = await statusOf(route, bearer(token));
      if (status !== 403) reached.push(route.name);
      expect([200, 400, 403, 404], route.name).toContain(status);
    }
    expect(reached.toSorted()).toEqual(tokenRoutes.toSorted());
  });

  test('goes by the key where both are sent', async () => {
    for (const route of closed()) {
      const both = { ...bearer('hello'), 'X-API-KEY': api.keys.staging };
      expect([401, 403], route.name).not.toContain(await statusOf(route, both));
    }
  });

  test('belongs to an area of keys, and is closed to a key without its scope', async () => {
    const { db } = api.metadata;
    const { key } = await createApiKey(db, { environment: 'prod', name: 'none', scopes: [] });
    for (const route of closed()) {
      const needed = scopeNeeded(route.method, route.path);
      expect(needed, route.name).not.toBe('unknown');
      const status = await statusOf(route, { 'X-API-KEY': key });
      expect(status, route.name).toBe(needed === undefined ? 200 : 403);
    }
  });
});

describe('a route that is open to anybody', () => {
  test('takes no notice of a credential, not even of a wrong one', async () => {
    for (const route of routes.filter(({ name }) => openRoutes.test(name))) {
      const wrong = { ...bearer('hello'), 'X-API-KEY': 'hello' };
      expect([401, 403], route.name).not.toContain(await statusOf(route, wrong));
    }
  });
});

test('a key with a scope does what it names', async () => {
  const { db } = api.metadata;
  const scopes = ['models:write', 'logs:read'] as const;
  const { key } = await createApiKey(db, { environment: 'prod', name: 'models', scopes });
  expect((await api.call('GET', '/models', { key })).status).toBe(200);
  expect((await api.call('GET', '/logs', { key })).status).toBe(200);
  const refused = await api.call('GET', '/sources', { key });
  expect(refused.status).toBe(403);
  expect(textAt(refused, 'message')).toContain('sources:read');
});

test.each(['/forgotten', '/models/forgotten'])(
  'the route %s that does not say who may call it is closed to everybody',
  async (path) => {
    const forgotten = createRouter().get(path, (c) => c.json({}));
    const app = createApp(api.deps);
    app.route('/', forgotten);
    for (const headers of [{}, { 'X-API-KEY': api.keys.prod }, bearer(token)]) {
      const answer = await app.request(path, { headers: headers as Record<string, string> });
      expect(answer.status).toBe(403);
    }
  },
);
