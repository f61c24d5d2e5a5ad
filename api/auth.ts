import type { MiddlewareHandler } from 'hono';
import { findApiKey } from '../db/api-keys.ts';
import type { AppEnv } from './deps.ts';
import { refuse } from './errors.ts';

/** Lets a request through that shows a valid API key; the key alone decides which environment it reaches. */
export const requireKey: MiddlewareHandler<AppEnv> = async (c, next) => {
  const key = c.req.header('x-api-key')?.trim();
  if (key === undefined || key === '') throw withoutKey(c.req.header('authorization'));
  const found = await findApiKey(c.get('deps').db, key);
  if (found === undefined) {
    throw refuse(401, 'The API key is unknown, revoked or expired. Check the header X-API-KEY.');
  }
  c.set('environment', found.environment);
  c.set('actor', { id: found.id, type: 'api_key' });
  await next();
};

function withoutKey(authorization: string | undefined) {
  return authorization === undefined
    ? refuse(401, 'This path needs an API key in the header X-API-KEY.')
    : refuse(
        401,
        'Scoped tokens are not served by this version. Send an API key in the header X-API-KEY.',
      );
}
