import { admitTransfers } from '../db/admission.ts';
import { readQueue } from '../db/transfer-runs.ts';
import type { QueueChoice } from '../domain/steps.ts';
import { chooseStarts } from '../domain/transfer-queue.ts';
import type { StepDeps } from './deps.ts';

/**
 * Which waiting transfers may start now: those that the destination's own rules let start, as far as the
 * environment has slots and it is their turn. A slot is written down: a second run gives the same starts.
 */
export async function chooseTransfers(
  { db, log }: StepDeps,
  { destinationId }: { destinationId: string },
): Promise<QueueChoice> {
  const queue = await readQueue(db, destinationId);
  const candidates = chooseStarts(queue);
  const chosen = await admitTransfers(db, { destinationId, candidates });
  const newly = queue.waiting.filter(({ id }) => chosen.includes(id));
  const starts = [...queue.admitted, ...newly].map((transfer) => {
    const { id, recipientId, trigger, requestId, modelNames } = transfer;
    return {
      transferId: id,
      recipientId,
      trigger,
      ...(requestId !== null && { requestId }),
      summary: summarise(modelNames, queue.vendor, trigger),
    };
  });
  for (const { transferId, requestId } of starts) log.info({ transferId, requestId }, 'may start');
  return { starts, waiting: queue.waiting.length - newly.length };
}

/** At most 200 bytes reach the Temporal UI. */
function summarise(modelNames: readonly string[], vendor: string, trigger: string): string {
  const [first = '', second, ...more] = modelNames;
  const names = [first, ...(second === undefined ? [] : [second])].join(', ');
  const rest = more.length === 0 ? '' : ` and ${more.length} more`;
  return `${names}${rest} to ${vendor}, ${trigger}`.slice(0, 180);
}
