import { readQueue } from '../db/transfer-runs.ts';
import type { QueueChoice } from '../domain/steps.ts';
import { chooseStarts } from '../domain/transfer-queue.ts';
import { must } from '../lib/must.ts';
import type { StepDeps } from './deps.ts';

/** Which waiting transfers may start now. Reads rows and decides nothing that a second run would repeat. */
export async function chooseTransfers(
  { db, log }: StepDeps,
  { destinationId }: { destinationId: string },
): Promise<QueueChoice> {
  const queue = await readQueue(db, destinationId);
  const chosen = chooseStarts(queue);
  const starts = chosen.map((id) => {
    const transfer = must(
      queue.waiting.find((waiting) => waiting.id === id),
      'chosen transfer',
    );
    const { recipientId, trigger, requestId, modelNames } = transfer;
    return {
      transferId: id,
      recipientId,
      trigger,
      ...(requestId !== null && { requestId }),
      summary: summarise(modelNames, queue.vendor, trigger),
    };
  });
  for (const { transferId, requestId } of starts) log.info({ transferId, requestId }, 'may start');
  return { starts, waiting: queue.waiting.length - starts.length };
}

/** At most 200 bytes reach the Temporal UI. */
function summarise(modelNames: readonly string[], vendor: string, trigger: string): string {
  const [first = '', second, ...more] = modelNames;
  const names = [first, ...(second === undefined ? [] : [second])].join(', ');
  const rest = more.length === 0 ? '' : ` and ${more.length} more`;
  return `${names}${rest} to ${vendor}, ${trigger}`.slice(0, 180);
}
