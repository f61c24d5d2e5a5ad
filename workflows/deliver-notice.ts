import {
  allHandlersFinished,
  condition,
  continueAsNew,
  defineSignal,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import { messageNames } from '../domain/temporal-names.ts';
import { labelled, steps } from './activity-policies.ts';

export interface NoticeInput {
  readonly webhookId: string;
  /** Its events arrive in order; those of others go their own way. */
  readonly resourceId: string;
}

/** A doorbell: the rows say what is to be delivered. */
export const noticeSignal = defineSignal(messageNames.ring);

/**
 * Delivers the notices of one object to one webhook, the oldest first, each until it arrives or a day has
 * passed. Ends when nothing is left. Continues as new when the server suggests it; the rows are its state.
 */
export async function deliverNotice(input: NoticeInput): Promise<void> {
  let isRung = false;
  setHandler(noticeSignal, () => {
    isRung = true;
  });
  for (;;) {
    isRung = false;
    const step = await steps.deliverWebhook.executeWithOptions(labelled('deliver'), [input]);
    // No await between this answer and the return, or a ring in between would be lost.
    if (step.next === 'idle' && !isRung) return;
    if (step.next === 'wait') await sleep(step.waitSeconds * 1000);
    if (workflowInfo().continueAsNewSuggested) {
      await condition(allHandlersFinished);
      await continueAsNew<typeof deliverNotice>(input);
    }
  }
}
