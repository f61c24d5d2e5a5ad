import { ringDeliveries } from '../db/notices.ts';
import { closeModels, endTransfer } from '../db/transfer-runs.ts';
import { appendLog } from '../db/transfer-log.ts';
import type { ErrorObject } from '../domain/failure.ts';
import { outcomeOf, type TransferStatus } from '../domain/statuses.ts';
import type { ModelOutcome, TransferClose } from '../domain/steps.ts';
import type { StepDeps } from './deps.ts';
import { notedError } from './noted-error.ts';
import { ringNext } from './ring-next.ts';

/** The final status is written only over RUNNING, so that a second run finds it written and rings again. */
export async function closeTransfer(
  { db, workflows, metrics }: StepDeps,
  { transferId, outcomes }: TransferClose,
): Promise<void> {
  const ends = new Map(Object.entries(outcomes).map(([id, outcome]) => [id, endOf(outcome)]));
  await db.transaction(async (tx) => {
    const status: TransferStatus = outcomeOf(await closeModels(tx, transferId, ends));
    const error = errorOf(
      status,
      [...ends.values()].map((end) => end.error),
    );
    const isFirst = await endTransfer(tx, { transferId, from: 'RUNNING', status, error });
    if (!isFirst) return;
    await appendLog(tx, { transferId, line: `Ended: ${status}.` });
    metrics.transferEnded(status);
  });
  await ringDeliveries(db, (lane) => workflows.ringNotices(lane));
  await ringNext({ db, workflows }, transferId);
}

function endOf(outcome: ModelOutcome) {
  if (outcome.status !== 'ERROR') return { status: outcome.status, error: undefined };
  return { status: outcome.status, error: notedError(outcome.failure) };
}

function errorOf(
  status: TransferStatus,
  errors: readonly (ErrorObject | undefined)[],
): ErrorObject | undefined {
  return status === 'ERROR' ? errors.find((error) => error !== undefined) : undefined;
}
