import { ringDeliveries } from '../db/notices.ts';
import { openTransferRow } from '../db/transfer-runs.ts';
import { appendLog } from '../db/transfer-log.ts';
import type { OpenedTransfer, TransferRef } from '../domain/steps.ts';
import type { StepDeps } from './deps.ts';

/** PENDING becomes RUNNING once; the same workflow asking again finds it RUNNING and gets the same answer. */
export async function openTransfer(
  { db, workflows, workflowRunId }: StepDeps,
  { transferId }: TransferRef,
): Promise<OpenedTransfer | undefined> {
  const run = await openTransferRow(db, { transferId, workflowRunId });
  if (run === undefined) return undefined;
  if (run.isFirstOpening) {
    const names = run.models.map(({ modelName }) => modelName).join(', ');
    await appendLog(db, { transferId, line: `Started: ${names}.` });
    await ringDeliveries(db, (lane) => workflows.ringNotices(lane));
  }
  const { models, modelsAtOnce } = run;
  return { models, modelsAtOnce };
}
