import { environmentOf } from '../db/schedules.ts';
import { submitTransfer as submit } from '../db/submit-transfer.ts';
import { appendLog } from '../db/transfer-log.ts';
import { Failure } from '../domain/failure.ts';
import type { StepDeps } from './deps.ts';

/**
 * Submits the transfer that is due and rings for it. The time at which it was due is its idempotency key:
 * run again, it finds the transfer it made. One that cannot be (disabled meanwhile, no models, the last one
 * has not ended) is said in the log, and the schedule goes on.
 */
export async function submitTransfer(
  { db, workflows, log }: StepDeps,
  { destinationId, dueId }: { destinationId: string; dueId: string },
): Promise<void> {
  const environment = await environmentOf(db, destinationId);
  if (environment === undefined) {
    // Its schedule outlived it, or our database was put back to before it.
    log.warn({ destinationId }, 'a destination that is gone was due: its schedule is removed');
    await workflows.putSchedule(destinationId, undefined);
    return;
  }
  try {
    const { outcome, transferId } = await submit(db, {
      environment,
      destinationId,
      trigger: 'schedule',
      actor: { id: '', type: 'unknown' },
      idempotency: { key: dueId, bodyHash: dueId },
    });
    log.info({ destinationId, transferId, outcome }, 'scheduled transfer');
    if (outcome === 'skipped') {
      const line = 'A scheduled transfer was due and skipped, since this one has not ended.';
      await appendLog(db, { transferId, line });
    } else if (outcome !== 'duplicate') {
      await workflows.ring(destinationId, transferId);
    }
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'conflict') throw error;
    log.info({ destinationId, why: error.message }, 'scheduled transfer not submitted');
  }
}
