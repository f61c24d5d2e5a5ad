import type { Context, MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import type { RouterRoute } from 'hono/types';
import { findApiKey } from '../db/api-keys.ts';
import { findScopedToken, type TokenGrant } from '../db/scoped-tokens.ts';
import { allowsScope, scopeNeeded } from '../domain/key-scopes.ts';
import { originOf } from '../domain/token-grant.ts';
import type { AppEnv } from './deps.ts';
import { refuse } from './errors.ts';

/** Lets a request through that shows a valid API key; the key alone decides which environment it reaches. */
export const requireKey: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (!(await acceptKey(c))) {
    await findGrant(c);
    throw refuse(403, 'A scoped token may not do this: it needs an API key, kept on a server.');
  }
  await next();
};

/** The same, or a token: then `recipientId` says whose objects there are, and `grant` what may change. */
export const requireKeyOrToken: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (!(await acceptKey(c))) {
    const grant = await findGrant(c);
    c.set('environment', grant.environment);
    c.set('actor', { id: grant.recipientId, type: 'recipient' });
    c.set('recipientId', grant.recipientId);
    c.set('grant', grant);
  }
  await next();
};

/** Marks a route that needs no credential; one that is sent counts for nothing, even a wrong one. */
export const anyone: MiddlewareHandler<AppEnv> = async (_, next) => {
  await next();
};

const guards: ReadonlySet<unknown> = new Set([requireKey, requireKeyOrToken, anyone]);

/** Refuses a route of which nobody has said who may call it, even where a guarded one answers there too. */
export const refuseUnclassified: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (unclassified(matchedRoutes(c)).length > 0) {
    throw refuse(403, 'Nobody may call this path: it does not say who may.');
  }
  await next();
};

/** The routes without a guard. What answers to every method stands before routes and is none. */
export function unclassified(routes: readonly RouterRoute[]): string[] {
  const nameOf = ({ method, path }: RouterRoute) => `${method} ${path}`;
  const guarded = routes.filter(({ handler }) => guards.has(handler)).map(nameOf);
  const all = routes.filter(({ method }) => method !== 'ALL').map(nameOf);
  return [...new Set(all)].filter((name) => !guarded.includes(name));
}

/** Whether the request shows a key. @throws where that key is not valid, or may not do this */
async function acceptKey(c: Context<AppEnv>): Promise<boolean> {
  const key = c.req.header('x-api-key')?.trim();
  if (key === undefined || key === '') return false;
  const found = await findApiKey(c.get('deps').db, key);
  if (found === undefined) {
    throw refuse(401, 'The API key is unknown, revoked or expired. Check the header X-API-KEY.');
  }
  const needed = scopeNeeded(c.req.method, c.req.path);
  if (!allowsScope(found.scopes, needed)) {
    const scope = needed === 'unknown' ? 'no scope' : `the scope ${needed}`;
    throw refuse(403, `This API key is limited: it lacks ${scope} that this call needs.`);
  }
  c.set('environment', found.environment);
  c.set('actor', { id: found.id, type: 'api_key' });
  return true;
}

/** What the token of the request lets its holder do, from the page that it was made for. */
async function findGrant(c: Context<AppEnv>): Promise<TokenGrant> {
  const authorization = c.req.header('authorization');
  if (authorization === undefined) {
    throw refuse(401, 'This path needs an API key in the header X-API-KEY.');
  }
  const token = /^\s*Bearer\s+(\S+)\s*$/i.exec(authorization)?.[1];
  if (token === undefined) {
    throw refuse(401, 'The header Authorization must be "Bearer" and a scoped token; it has none.');
  }
  const origin = c.req.header('x-app-id');
  if (origin === undefined || origin.trim() === '') {
    throw refuse(
      401,
      'A scoped token works only with the header X-APP-ID, the origin of its page.',
    );
  }
  const grant = await findScopedToken(c.get('deps').db, token);
  if (grant === undefined) {
    throw refuse(
      401,
      'The scoped token is unknown, older than an hour, or its key was revoked. Take a new one.',
    );
  }
  if (originOf(origin) !== grant.origin) {
    throw refuse(403, `The scoped token is for pages of ${grant.origin}; X-APP-ID names another.`);
  }
  return grant;
}
