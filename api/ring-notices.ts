import type { MiddlewareHandler } from 'hono';
import { ringDeliveries } from '../db/notices.ts';
import type { AppEnv } from './deps.ts';
import { describeError } from './errors.ts';

/**
 * After a write, rings for the notices that it left. Where the engine is away `reconcile` does: the row is
 * what counts, so the answer stays as it is.
 */
export const ringNotices: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next();
  if (c.req.method === 'GET' || c.res.status !== 200) return;
  const { db, workflows, log } = c.get('deps');
  try {
    await ringDeliveries(db, (lane) => workflows.ringNotices(lane));
  } catch (error) {
    const fields = { requestId: c.get('requestId'), ...describeError(error) };
    log.warn(fields, 'notices could not be rung for; reconcile will do it');
  }
};
