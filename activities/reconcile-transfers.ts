import { purgeLapsedConnections } from '../db/connections.ts';
import { purgeIntegrityJobs } from '../db/integrity-runs.ts';
import { purgeKeyPairs } from '../db/key-pairs.ts';
import { purgeMagicLinks } from '../db/magic-links.ts';
import { purgeLapsedProbes } from '../db/probes.ts';
import { purgeScopedTokens } from '../db/scoped-tokens.ts';
import { listOpenTransfers, purge, type OpenTransfer } from '../db/reconcile.ts';
import { closeModels, endTransfer } from '../db/transfer-runs.ts';
import { appendLog } from '../db/transfer-log.ts';
import { Failure, toErrorObject, type ErrorCode } from '../domain/failure.ts';
import type { TransferStatus } from '../domain/statuses.ts';
import type { StepDeps } from './deps.ts';
import { reconcileIntegrity } from './integrity-job.ts';
import { reconcileNotices } from './reconcile-notices.ts';
import { ringNext } from './ring-next.ts';
import { reconcileSchedules } from './reconcile-schedules.ts';

/** A hand-over from the row to its workflow takes less; younger rows are left alone. */
const handOverSeconds = 30;

/**
 * Closes the gaps between rows and workflows: rings again for transfers that no queue took, and ends those
 * whose workflow is gone. It asks Temporal first and then changes a row only where it still has the status
 * it read, so that a transfer that is merely slow is never touched and a second run finds nothing to do.
 */
export async function reconcileTransfers(deps: StepDeps): Promise<void> {
  const { db, limits } = deps;
  const look = { olderThanSeconds: handOverSeconds, queueHoursMax: limits.queueHoursMax };
  const running = await listOpenTransfers(db, { ...look, status: 'RUNNING' });
  for (const transfer of running) await reconcileRunning(deps, transfer);
  const pending = await listOpenTransfers(db, { ...look, status: 'PENDING' });
  for (const transfer of pending) await reconcilePending(deps, transfer);
  await reconcileSchedules(deps);
  await reconcileIntegrity(deps);
  await reconcileNotices(deps);
  const purged = await purge(db, {
    transferDays: limits.transferDaysKept,
    auditDays: limits.auditDaysKept,
  });
  await purgeLapsedProbes(db);
  await purgeLapsedConnections(db);
  await purgeScopedTokens(db);
  await purgeKeyPairs(db);
  await purgeMagicLinks(db);
  await purgeIntegrityJobs(db, limits.transferDaysKept);
  if (purged > 0) deps.log.info({ purged }, 'transfers past retention removed');
}

async function reconcileRunning(deps: StepDeps, transfer: OpenTransfer): Promise<void> {
  const state = await deps.workflows.describeTransfer(transfer.id);
  if (state !== 'open') {
    await end(deps, transfer, { from: 'RUNNING', status: 'ORPHANED', code: 'ORPH', message: lost });
  } else if (transfer.isCancelRequested) {
    await deps.workflows.cancelTransfer(transfer.id);
  }
}

async function reconcilePending(deps: StepDeps, transfer: OpenTransfer): Promise<void> {
  const { id, destinationId } = transfer;
  const state = await deps.workflows.describeTransfer(id);
  // Its workflow is about to open it.
  if (state === 'open') return;
  if (state === 'closed') {
    // Only after a restore of our database: the row says PENDING, and the run is history.
    await end(deps, transfer, { from: 'PENDING', status: 'ORPHANED', code: 'ORPH', message: lost });
  } else if (transfer.isExpired) {
    const message = `Not started within ${deps.limits.queueHoursMax} hours.`;
    await end(deps, transfer, { from: 'PENDING', status: 'EXPIRED', code: 'EXPD', message });
  } else if (
    !transfer.isEnqueued ||
    (await deps.workflows.describeQueue(destinationId)) !== 'open'
  ) {
    await deps.workflows.ring(destinationId, id);
  }
}

const lost = 'The workflow of this transfer is gone, and it did not report an end.';

async function end(
  { db, workflows, metrics }: StepDeps,
  { id }: OpenTransfer,
  end: { from: TransferStatus; status: TransferStatus; code: ErrorCode; message: string },
): Promise<void> {
  const { from, status, code, message } = end;
  const error = toErrorObject(new Failure('unavailable', message, { code }));
  await db.transaction(async (tx) => {
    const isFirst = await endTransfer(tx, { transferId: id, from, status, error });
    if (!isFirst) return;
    metrics.transferEnded(status);
    await closeModels(tx, id, new Map());
    await appendLog(tx, { transferId: id, line: `Ended: ${status}. ${message}` });
  });
  await ringNext({ db, workflows }, id);
}
