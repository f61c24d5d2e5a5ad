import {
  drawScheduled,
  listOutdatedSchedules,
  outdateSchedule,
  syncSchedule,
} from '../db/schedules.ts';
import { mapLimit } from '../lib/map-limit.ts';
import type { StepDeps } from './deps.ts';

/** A change of the default reaches ten thousand destinations within minutes. */
const putMax = 2000;
const atOnce = 8;
/** Each minute so many are looked for: a Temporal that lost them all is noticed at once. */
const drawn = 10;

/**
 * Tells Temporal the schedules that it does not have: those whose telling failed, those that go by a default
 * which was changed, those of destinations that are gone. Run again, it finds nothing to do.
 */
export async function reconcileSchedules({ db, workflows, log }: StepDeps): Promise<void> {
  const put = workflows.putSchedule.bind(workflows);
  for (const id of await drawScheduled(db, drawn)) {
    if (!(await workflows.hasSchedule(id))) await outdateSchedule(db, id);
  }
  const outdated = await listOutdatedSchedules(db, putMax);
  await mapLimit(outdated, atOnce, (id) => syncSchedule(db, id, put));
  if (outdated.length > 0) log.info({ schedules: outdated.length }, 'schedules put');
}
