import {
  drawScheduled,
  listOutdatedSchedules,
  outdateSchedule,
  syncSchedule,
} from '../db/schedules.ts';
import { Failure } from '../domain/failure.ts';
import { mapLimit } from '../lib/map-limit.ts';
import type { StepDeps } from './deps.ts';

/** A change of the default reaches ten thousand destinations within minutes. */
const putMax = 2000;
/** What is left waits for the next minute: other work of `reconcile` must not wait for it. */
const budgetMs = 40_000;
const atOnce = 8;
/** Each minute so many are looked for: a Temporal that lost them all is noticed at once. */
const drawn = 10;

/**
 * Tells Temporal the schedules that it does not have: those whose telling failed, those that go by a default
 * which was changed, those of destinations that are gone. Run again, it finds nothing to do. Where Temporal
 * refuses more (measured: the development server does, after some thousand), it stops until the next run.
 */
export async function reconcileSchedules({ db, workflows, log }: StepDeps): Promise<void> {
  const until = performance.now() + budgetMs;
  let told = 0;
  let isRefused = false;
  try {
    for (const id of await drawScheduled(db, drawn)) {
      if (!(await workflows.hasSchedule(id))) await outdateSchedule(db, id);
    }
    const outdated = await listOutdatedSchedules(db, putMax);
    await mapLimit(outdated, atOnce, async (id) => {
      if (performance.now() > until) return;
      await syncSchedule(db, id, (destinationId, spec) =>
        workflows.putSchedule(destinationId, spec),
      );
      told += 1;
    });
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'unavailable') throw error;
    isRefused = true;
  }
  if (told > 0 || isRefused) log.info({ told, isRefused }, 'schedules told');
}
