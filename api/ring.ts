import type { Context } from 'hono';
import type { AppEnv } from './deps.ts';
import { describeError } from './errors.ts';

/**
 * Tells the destination's queue to look at its rows again. A failure is no failure of the request: the row
 * is stored, the queue looks again by itself, and `reconcile` rings for what no queue has taken.
 */
export async function ring(
  c: Context<AppEnv>,
  { destinationId, transferId }: { destinationId: string; transferId: string },
): Promise<void> {
  const { workflows, log } = c.get('deps');
  try {
    await workflows.ring(destinationId, transferId);
  } catch (error) {
    const fields = { requestId: c.get('requestId'), transferId, ...describeError(error) };
    log.warn(fields, 'the queue could not be rung; reconcile will do it');
  }
}
