import { readLine } from '../db/admission.ts';
import { environmentOfTransfer, findWaitingBeside } from '../db/transfer-runs.ts';
import type { StepDeps } from './deps.ts';

/**
 * After a transfer has ended: rings for the next at its destination, and for those of the environment whose
 * turn the free slot makes it. Whoever was rung asks for the slot itself, so a ring too many is harmless.
 */
export async function ringNext(
  { db, workflows }: Pick<StepDeps, 'db' | 'workflows'>,
  transferId: string,
): Promise<void> {
  const beside = await findWaitingBeside(db, transferId);
  if (beside !== undefined) await workflows.ring(beside.destinationId, beside.id);
  const environment = await environmentOfTransfer(db, transferId);
  const line = environment === undefined ? [] : await readLine(db, environment);
  for (const { id, destinationId } of line) {
    if (id !== beside?.id) await workflows.ring(destinationId, id);
  }
}
