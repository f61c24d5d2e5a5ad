import {
  ActivityFailure,
  allHandlersFinished,
  condition,
  continueAsNew,
  defineSignal,
  isCancellation,
  log,
  ParentClosePolicy,
  setHandler,
  startChild,
  WorkflowIdReusePolicy,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { messageNames, workflowIds } from '../domain/temporal-names.ts';
import type { QueueChoice, TransferStart } from '../domain/steps.ts';
import { labelledInTask, steps } from './activity-policies.ts';
import { runTransfer } from './run-transfer.ts';
import { transferAttributes } from './search-attributes.ts';

export interface QueueInput {
  readonly destinationId: string;
}

/** A doorbell: the rows say what waits, so an id rung twice is harmless. */
export const ringSignal = defineSignal<[transferId: string]>(messageNames.ring);

/** A ring can be lost with the process that rings; waiting transfers are looked at again after this. */
const lookAgain = '10 minutes';

/**
 * Starts the destination's submitted transfers in order, as `chooseTransfers` allows. Ends as soon as
 * nothing waits: a transfer that closes rings again when it finds another waiting. Continues as new when
 * the server suggests it; the rows are all its state.
 */
export async function destinationQueue(input: QueueInput): Promise<void> {
  let isRung = false;
  setHandler(ringSignal, () => {
    isRung = true;
  });

  for (;;) {
    isRung = false;
    const choice = await choose(input);
    for (const start of choice.starts) await startTransfer(input, start);
    // No await between this decision and the return, or a ring in between would be lost.
    if (choice.waiting === 0 && !isRung) return;
    if (workflowInfo().continueAsNewSuggested) {
      await condition(allHandlersFinished);
      await continueAsNew<typeof destinationQueue>(input);
    }
    await condition(() => isRung, lookAgain);
  }
}

/** A choice that failed leaves everything waiting: the queue asks again. */
async function choose(input: QueueInput): Promise<QueueChoice> {
  try {
    return await steps.chooseTransfers.executeWithOptions(labelledInTask('choose transfers'), [
      input,
    ]);
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    log.warn('transfers could not be chosen', { destinationId: input.destinationId });
    return { starts: [], waiting: 1 };
  }
}

async function startTransfer({ destinationId }: QueueInput, start: TransferStart): Promise<void> {
  const { transferId, requestId } = start;
  try {
    await startChild(runTransfer, {
      workflowId: workflowIds.transfer(transferId),
      workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
      parentClosePolicy: ParentClosePolicy.ABANDON,
      args: [{ transferId, destinationId, recipientId: start.recipientId, trigger: start.trigger }],
      staticSummary: start.summary,
      ...(requestId !== undefined && { memo: { requestId } }),
      typedSearchAttributes: transferAttributes({ ...start, destinationId, phase: 'open' }),
    });
  } catch (error) {
    // Started by an earlier run of this queue: the row, not the id, says whether there is work left.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    log.info('transfer was started before', { transferId });
  }
}
