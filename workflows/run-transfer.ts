import {
  ActivityFailure,
  CancellationScope,
  ChildWorkflowFailure,
  executeChild,
  getExternalWorkflowHandle,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import { workflowIds } from '../domain/temporal-names.ts';
import type { ModelOutcome, OpenedTransfer } from '../domain/steps.ts';
import { labelled, steps } from './activity-policies.ts';
import { noteFailure } from './failure-note.ts';
import { runModel } from './run-model.ts';
import { modelAttributes } from './search-attributes.ts';
import { pauseSignal, resumeSignal } from './signals.ts';

export interface TransferInput {
  readonly transferId: string;
  readonly destinationId: string;
  readonly recipientId: string;
  readonly trigger: string;
}

type Model = OpenedTransfer['models'][number];

/**
 * Opens the transfer, runs its models side by side, closes it. A model that fails does not stop the
 * others; whatever happens, the transfer is closed in the database before this workflow ends.
 */
export async function runTransfer(input: TransferInput): Promise<void> {
  const running = new Set<string>();
  const outcomes: Record<string, ModelOutcome> = {};
  let isPaused = false;
  const passOn = (pause: boolean) => {
    isPaused = pause;
    for (const modelId of running) tellModel(input, modelId, pause);
  };
  setHandler(pauseSignal, () => passOn(true));
  setHandler(resumeSignal, () => passOn(false));

  const { transferId } = input;
  // Once the row says RUNNING somebody must close it, so a cancellation waits for this step.
  const open = await CancellationScope.nonCancellable(() =>
    steps.openTransfer.executeWithOptions(labelled('open'), [{ transferId }]),
  );
  if (open === undefined) return;

  const waiting = [...open.models];
  const lane = async () => {
    for (let model = waiting.shift(); model !== undefined; model = waiting.shift()) {
      running.add(model.modelId);
      const outcome = runOne(input, model, isPaused);
      outcomes[model.modelId] = await outcome;
      running.delete(model.modelId);
      setCurrentDetails(describe(open.models, outcomes));
    }
  };
  await Promise.all(Array.from({ length: open.modelsAtOnce }, lane));

  const isCancelled = CancellationScope.current().consideredCancelled;
  await CancellationScope.nonCancellable(() =>
    steps.closeTransfer.executeWithOptions(labelled('close'), [{ transferId, outcomes }]),
  );
  // Thrown only now, so that the run shows as cancelled although its end is on record.
  if (isCancelled) await CancellationScope.current().cancelRequested;
}

async function runOne(input: TransferInput, model: Model, isPaused: boolean): Promise<ModelOutcome> {
  const { transferId } = input;
  const { modelId } = model;
  if (CancellationScope.current().consideredCancelled) return { status: 'CANCELLED' };
  try {
    await executeChild(runModel, {
      workflowId: workflowIds.model(transferId, modelId),
      workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      args: [{ transferId, modelId, isPaused }],
      staticSummary: model.modelName,
      typedSearchAttributes: modelAttributes({ ...input, phase: 'plan' }, modelId),
    });
    return { status: 'SUCCESS' };
  } catch (error) {
    if (isCancellation(error)) return { status: 'CANCELLED' };
    if (!(error instanceof ChildWorkflowFailure)) throw error;
    const cause = error.cause instanceof ActivityFailure ? error.cause.cause : error.cause;
    return { status: 'ERROR', failure: noteFailure(cause) };
  }
}

/** A model that has just ended no longer hears us, and need not. */
function tellModel(input: TransferInput, modelId: string, pause: boolean): void {
  const model = getExternalWorkflowHandle(workflowIds.model(input.transferId, modelId));
  const told = pause ? model.signal(pauseSignal) : model.signal(resumeSignal);
  told.catch(() => undefined);
}

function describe(models: readonly Model[], outcomes: Readonly<Record<string, ModelOutcome>>): string {
  const lines = models.map(({ modelId, modelName }) => {
    const outcome = outcomes[modelId];
    return `| ${modelName} | ${outcome?.status ?? 'waiting or running'} |`;
  });
  return ['| model | outcome |', '| --- | --- |', ...lines].join('\n');
}
