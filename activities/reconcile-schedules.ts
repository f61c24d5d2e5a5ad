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

/** After so many refusals Temporal counts as away. */
const refusedMax = 20;

/**
 * Tells Temporal the schedules that it does not have: those whose telling failed, those that go by a default
 * which was changed, those of destinations that are gone. Run again, it finds nothing to do. One that
 * Temporal refuses is told in a later run and holds up no other.
 */
export async function reconcileSchedules({ db, workflows, log }: StepDeps): Promise<void> {
  const until = performance.now() + budgetMs;
  let told = 0;
  let refused = 0;
  const unlessRefused = async (work: () => Promise<void>) => {
    if (performance.now() > until || refused >= refusedMax) return;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'unavailable') throw error;
      refused += 1;
    }
  };
  await mapLimit(await drawScheduled(db, drawn), atOnce, (id) =>
    unlessRefused(async () => {
      if (!(await workflows.hasSchedule(id))) await outdateSchedule(db, id);
    }),
  );
  await mapLimit(await listOutdatedSchedules(db, putMax), atOnce, (id) =>
    unlessRefused(async () => {
      await syncSchedule(db, id, (destinationId, spec) =>
        workflows.putSchedule(destinationId, spec),
      );
      told += 1;
    }),
  );
  if (told > 0 || refused > 0) log.info({ told, refused }, 'schedules told');
}
