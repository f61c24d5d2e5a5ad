import { listOpenLanes, purgeNotices, ringDeliveries } from '../db/notices.ts';
import { purgeTraces } from '../db/traces.ts';
import type { StepDeps } from './deps.ts';

/** Whoever wrote a notice rings for it within this time, or has died. */
const handOverSeconds = 10;
/** A lane waits for an hour at most between attempts; one that is older is rung for in case it is gone. */
const silentSeconds = 3900;

/** Closes the gap between notices and the workflows that deliver them. Ringing twice does no harm. */
export async function reconcileNotices({ db, workflows, limits }: StepDeps): Promise<void> {
  const ring = workflows.ringNotices.bind(workflows);
  await ringDeliveries(db, ring, { olderThanSeconds: handOverSeconds });
  for (const lane of await listOpenLanes(db, silentSeconds)) await ring(lane);
  await purgeNotices(db, limits.transferDaysKept);
  await purgeTraces(db);
}
