import type { Batch } from '../connectors/connector.ts';
import { isAnyoneWaiting } from '../db/backfills.ts';
import type { ModelRun } from '../db/model-runs.ts';
import { compareInstants } from '../domain/instant.ts';
import type { StepDeps } from './deps.ts';
import { planOf } from './load-plan.ts';

const askEveryMs = 500;

/**
 * Tells after each batch whether a backfill is to end there, because somebody waits for its place. Not before
 * it has passed the value that it began with: the next begins there again, and would never come further.
 */
export function waysToMake(deps: StepDeps, run: ModelRun): (batch: Batch) => Promise<boolean> {
  const { after } = planOf(run).decision.window;
  let askedAt = -askEveryMs;
  return async ({ cursor }) => {
    if (run.trigger !== 'backfill') return false;
    if (after !== undefined && compareInstants(cursor.lastModified, after) <= 0) return false;
    if (performance.now() - askedAt < askEveryMs) return false;
    askedAt = performance.now();
    return isAnyoneWaiting(deps.db, run);
  };
}
