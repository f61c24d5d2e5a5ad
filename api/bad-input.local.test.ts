import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer, TestApi } from '../test/harness/api.ts';
import { createTestApi } from '../test/harness/api.ts';
import { describeApi } from './openapi.ts';
import { createApp } from './app.ts';

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

interface Route {
  readonly method: string;
  readonly path: string;
  readonly hasBody: boolean;
}

/** Every route of the document, so that a new one is under these tests without anybody adding it. */
function listRoutes(): Route[] {
  const document = describeApi(createApp(api.deps), api.deps) as {
    paths: Record<string, Record<string, { requestBody?: unknown }>>;
  };
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      hasBody: operation.requestBody !== undefined,
    })),
  );
}

function filled(path: string, id: string): string {
  return path.replaceAll(/\{[^}]+\}/g, id);
}

/** Whatever comes, the answer is an envelope that any client and any page can read. */
function expectEnvelope(answer: Answer, route: Route): void {
  const place = `${route.method} ${route.path}: ${answer.text}`;
  expect(answer.body, place).toMatchObject({
    status: expect.stringMatching(/^(success|error)$/),
    message: expect.any(String),
  });
  expect(answer.headers.get('access-control-allow-origin'), place).toBe('*');
  expect(answer.status, place).not.toBe(500);
}

const unknownId = '0199aa00-0000-7000-8000-000000000001';

describe('every route', () => {
  test.each([
    ['an unknown id', unknownId],
    ['no id', 'nothing'],
    ['a long id', 'x'.repeat(5000)],
    ['an id in another script', '%D1%8F%F0%9F%9A%9A'],
    ['an id that is no UTF-8', '%FF%FE'],
    ['an id that looks like SQL', "'%20or%201=1--"],
    ['a path out of the path', '..%2F..%2Fetc'],
  ])('answers %s with 404 or says what is wrong with the rest', async (_, id) => {
    for (const route of listRoutes().filter(({ path }) => path.includes('{'))) {
      const answer = await api.call(
        route.method,
        filled(route.path, id),
        route.hasBody ? { body: {} } : {},
      );
      expectEnvelope(answer, route);
      expect([400, 404], `${route.method} ${route.path}: ${answer.text}`).toContain(answer.status);
    }
  });

  test.each([
    ['no JSON', '{"source": nope}'],
    ['half a JSON', '{"source": {'],
    ['a list', '[1, 2]'],
    ['text', '"text"'],
    ['a number', '17'],
    ['null', 'null'],
    [
      'wrong types everywhere',
      '{"source":1,"destination":"x","recipient":[],"product":null,"model":true,"models":{},"tags":1}',
    ],
    [
      'keys of the language',
      '{"__proto__":{"vendor":"postgres"},"constructor":{"prototype":{}},"models":1}',
    ],
    ['a NUL', '{"source":{"name":"\\u0000"}}'],
    ['deep nesting', '{"a":'.repeat(200) + '1' + '}'.repeat(200)],
    ['numbers beyond all numbers', '{"recipient":{"name":1e999},"models":1e999}'],
  ])('refuses a body that is %s', async (_, raw) => {
    for (const route of listRoutes().filter(({ hasBody }) => hasBody)) {
      const answer = await api.call(route.method, filled(route.path, unknownId), { raw });
      expectEnvelope(answer, route);
      // A bare object is a model file there, whose faults are the result that was asked for.
      const refusals = route.path === '/actions/validate-config' ? [200, 400] : [400, 404];
      expect(refusals, `${route.method} ${route.path}: ${answer.text}`).toContain(answer.status);
    }
    expect(Object.hasOwn(Object.prototype, 'vendor')).toBe(false);
  });

  test.each([
    'page_size=x',
    'cursor=x',
    'order=x',
    'status=x',
    'unknown=1',
    'page_size[]=1',
    'cursor=%00',
    'name=%FF',
  ])('answers ?%s with an envelope', async (query) => {
    for (const route of listRoutes().filter(({ method }) => method === 'GET')) {
      const answer = await api.call('GET', `${filled(route.path, unknownId)}?${query}`);
      expectEnvelope(answer, route);
    }
  });

  test('names its methods to one that it does not take', async () => {
    for (const route of listRoutes()) {
      const answer = await api.call('PURGE', filled(route.path, unknownId));
      expect(answer.status, route.path).toBe(405);
      expect(answer.headers.get('allow')).toContain(route.method);
      expectEnvelope(answer, route);
    }
  });
});
