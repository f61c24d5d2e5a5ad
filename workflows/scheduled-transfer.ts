import { workflowInfo } from '@temporalio/workflow';
import { labelled, steps } from './activity-policies.ts';

export interface ScheduledInput {
  readonly destinationId: string;
}

/**
 * Submits the transfer of a destination that is due, exactly as the API does. The id of this workflow holds
 * the time at which it was due, so that the same time submits one transfer however often it runs.
 */
export async function scheduledTransfer({ destinationId }: ScheduledInput): Promise<void> {
  const { workflowId } = workflowInfo();
  await steps.submitTransfer.executeWithOptions(labelled('submit'), [
    { destinationId, dueId: workflowId },
  ]);
}
