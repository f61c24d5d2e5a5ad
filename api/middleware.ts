import type { MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import { Failure } from '../domain/failure.ts';
import { uuidv7 } from '../lib/uuid.ts';
import type { AppDeps, AppEnv } from './deps.ts';

export const apiVersion = '2023-12-01';

/** Gives the request its id and its tools, and writes one line about it: never a body, never a key. */
export function logRequest(deps: AppDeps): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const startedAt = performance.now();
    const requestId = uuidv7();
    c.set('deps', deps);
    c.set('requestId', requestId);
    await next();
    c.header('X-Request-Id', requestId);
    const route = matchedRoutes(c).findLast(({ method }) => method !== 'ALL')?.path ?? '(none)';
    const { status } = c.res;
    const durationMs = Math.round(performance.now() - startedAt);
    const line = {
      method: c.req.method,
      route,
      status,
      durationMs,
      requestId,
      keyId: c.get('actor')?.id,
    };
    deps.log.info(line, 'request');
  };
}

/** Lets pages of any origin read every answer, errors included. Keys do not belong in foreign pages. */
export const openToBrowsers: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (c.req.method === 'OPTIONS') {
    c.header('Access-Control-Allow-Methods', 'GET, POST, PUT, PATCH, DELETE, OPTIONS');
    c.header(
      'Access-Control-Allow-Headers',
      'Authorization, X-APP-ID, X-Prequel-Api-Version, Content-Type',
    );
    c.header('Access-Control-Max-Age', '600');
    c.header('Access-Control-Allow-Origin', '*');
    return c.body(null, 204);
  }
  await next();
  c.header('Access-Control-Allow-Origin', '*');
  return undefined;
};

/** Refuses text that our database could not look for. */
export const checkUrl: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (/%00/.test(c.req.url))
    throw new Failure('invalid', 'The URL may not hold a NUL character (%00).');
  await next();
};

/** Refuses a version that we do not speak; none counts as ours. */
export const checkVersion: MiddlewareHandler<AppEnv> = async (c, next) => {
  const version = c.req.header('x-prequel-api-version');
  if (version !== undefined && version !== apiVersion) {
    throw new Failure(
      'invalid',
      `X-Prequel-Api-Version must be ${apiVersion}, the only version served here.`,
    );
  }
  await next();
};
