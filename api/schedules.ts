import type { Context } from 'hono';
import { syncSchedule } from '../db/schedules.ts';
import { mapLimit } from '../lib/map-limit.ts';
import type { AppEnv } from './deps.ts';
import { describeError } from './errors.ts';

/** More than so many are left to `reconcile`, so that an answer does not wait for thousands. */
const inlineMax = 20;
const atOnce = 4;

/** Tells Temporal the schedules as soon as the rows stand; where it is away, `reconcile` does it later. */
export async function tellSchedules(c: Context<AppEnv>, ids: readonly string[]): Promise<void> {
  const { db, workflows, log } = c.get('deps');
  try {
    await mapLimit(ids.slice(0, inlineMax), atOnce, (id) =>
      syncSchedule(db, id, (destinationId, spec) => workflows.putSchedule(destinationId, spec)),
    );
  } catch (error) {
    const fields = { requestId: c.get('requestId'), ...describeError(error) };
    log.warn(fields, 'a schedule could not be told; reconcile will do it');
  }
}
