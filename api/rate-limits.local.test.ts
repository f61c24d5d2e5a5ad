import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHttpServer } from '../bin/http-server.ts';
import { createApp } from './app.ts';
import type { TestApi } from '../test/harness/api.ts';
import { createTestApi } from '../test/harness/api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

/** An API that lets three public calls a minute through, behind so many proxies. */
function limited(proxies: number) {
  const app = createApp({ ...api.deps, rateLimits: { publicMax: 3, sshKeysMax: 1, proxies } });
  return (path: string, forwarded?: string, headers: Record<string, string> = {}) =>
    app.request(path, {
      headers: { ...(forwarded && { 'X-Forwarded-For': forwarded }), ...headers },
    });
}

const route = '/public/anything';

describe('429', () => {
  test('a public route answers it with Retry-After once the calls of a minute are spent', async () => {
    const call = limited(0);
    for (let calls = 0; calls < 3; calls += 1) expect((await call(route)).status).toBe(404);
    const refused = await call(`/export${route}`);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0);
    expect(Number(refused.headers.get('Retry-After'))).toBeLessThanOrEqual(60);
    expect(refused.headers.get('Access-Control-Allow-Origin')).toBe('*');
    expect(await refused.json()).toMatchObject({
      status: 'error',
      data: null,
      message: expect.stringContaining('Try again in'),
    });
  });

  test('calls with a key are not counted, and preflights neither', async () => {
    const call = limited(0);
    for (let calls = 0; calls < 5; calls += 1) {
      const answer = await call('/sources', undefined, { 'X-API-KEY': api.keys.prod });
      expect(answer.status).toBe(200);
    }
    expect((await call(route)).status).toBe(404);
  });

  test('an address that the caller wrote itself does not count', async () => {
    const call = limited(0);
    for (let calls = 0; calls < 3; calls += 1) await call(route, `10.0.0.${calls}`);
    expect((await call(route, '10.0.0.99')).status).toBe(429);
  });

  test('behind a proxy the address it saw counts, and not what stands before it', async () => {
    const call = limited(1);
    for (let calls = 0; calls < 3; calls += 1) await call(route, `${calls}.1.1.1, 203.0.113.7`);
    expect((await call(route, '9.9.9.9, 203.0.113.7')).status).toBe(429);
    expect((await call(route, '9.9.9.9, 203.0.113.8')).status).toBe(404);
  });

  test('one network of IPv6 counts as one client', async () => {
    const call = limited(1);
    for (let calls = 0; calls < 3; calls += 1) await call(route, `2001:db8:1:2::${calls}`);
    expect((await call(route, '2001:db8:1:2:ffff::1')).status).toBe(429);
    expect((await call(route, '2001:db8:1:3::1')).status).toBe(404);
  });

  test('over a real connection the peer is the client', async () => {
    const app = createApp({ ...api.deps, rateLimits: { publicMax: 1, sshKeysMax: 1, proxies: 0 } });
    const server = createHttpServer({ fetch: app.fetch, hostname: '127.0.0.1' });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    try {
      const first = await fetch(`http://127.0.0.1:${port}${route}`);
      const second = await fetch(`http://127.0.0.1:${port}${route}`);
      expect([first.status, second.status]).toEqual([404, 429]);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});
