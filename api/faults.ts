import type { Context } from 'hono';
import type { RouterRoute } from 'hono/types';
import type { AppEnv } from './deps.ts';
import type { ErrorEnvelope } from './envelope.ts';
import type { HttpFailure } from './errors.ts';
import { describeError, toHttpFailure } from './errors.ts';

/** The one place where something thrown becomes an answer. */
export function answerError(error: Error, c: Context<AppEnv>): Response {
  const failure = toHttpFailure(error);
  if (failure.status >= 500) {
    const { log } = c.get('deps');
    log.error(
      { requestId: c.get('requestId'), status: failure.status, ...describeError(error) },
      'request failed',
    );
  }
  return answer(c, failure);
}

/** 405 where the path is known under another method, else 404. */
export function answerUnknownPath(c: Context<AppEnv>, routes: readonly RouterRoute[]): Response {
  const methods = new Set(
    routes.filter((route) => fits(route, c.req.path)).map(({ method }) => method),
  );
  const { method, path } = c.req;
  if (methods.size === 0) {
    return answer(c, {
      status: 404,
      message: `There is no path ${path.slice(0, 200)} here.`,
      violations: [],
      headers: {},
    });
  }
  const allow = [...methods].join(', ');
  const message = `${path.slice(0, 200)} does not take ${method}; it takes ${allow}.`;
  return answer(c, { status: 405, message, violations: [], headers: { Allow: allow } });
}

function fits(route: RouterRoute, path: string): boolean {
  if (route.method === 'ALL') return false;
  const pattern = route.path.replaceAll(/:[^/]+/g, '[^/]+');
  return new RegExp(`^${pattern}$`).test(path);
}

function answer(c: Context<AppEnv>, failure: HttpFailure): Response {
  const body: ErrorEnvelope = {
    status: 'error',
    data: null,
    message: failure.message,
    ...(failure.violations.length > 0 && { errors: [...failure.violations] }),
    request_id: c.get('requestId'),
  };
  return c.json(body, failure.status, failure.headers);
}
