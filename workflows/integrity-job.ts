import { CancellationScope, setCurrentDetails } from '@temporalio/workflow';
import type { FailureNote } from '../domain/steps.ts';
import { labelled, labelledData, steps } from './activity-policies.ts';
import { isStopped, noteFailure } from './failure-note.ts';

export interface IntegrityInput {
  readonly jobId: string;
}

/**
 * Compares the models of a data integrity job one after another. One that fails does not stop the others;
 * whatever happens, the job is closed in the database before this workflow ends. It never continues as new: a
 * job has as many steps as a destination has models.
 */
export async function integrityJob({ jobId }: IntegrityInput): Promise<void> {
  // Once the row says RUNNING somebody must close it, so a cancellation waits for this step.
  const models = await CancellationScope.nonCancellable(() =>
    steps.openIntegrity.executeWithOptions(labelled('open'), [jobId]),
  );
  const failures: Record<string, FailureNote> = {};
  let isCancelled = false;
  for (const [index, modelId] of models.entries()) {
    isCancelled ||= CancellationScope.current().consideredCancelled;
    if (isCancelled) break;
    setCurrentDetails(`model ${index + 1} of ${models.length}`);
    const options = labelledData(`compare ${modelId}`);
    try {
      await steps.compareModel.executeWithOptions(options, [{ jobId, modelId }]);
    } catch (error) {
      isCancelled = CancellationScope.current().consideredCancelled && isStopped(error);
      if (!isCancelled) failures[modelId] = noteFailure(error);
    }
  }
  await CancellationScope.nonCancellable(() =>
    steps.closeIntegrity.executeWithOptions(labelled('close'), [{ jobId, failures, isCancelled }]),
  );
  // Thrown only now, so that the run shows as cancelled although its end is on record.
  if (isCancelled) await CancellationScope.current().cancelRequested;
}
