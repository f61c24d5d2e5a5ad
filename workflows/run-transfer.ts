import {
  ActivityFailure,
  CancellationScope,
  ChildWorkflowFailure,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  ParentClosePolicy,
  patched,
  setCurrentDetails,
  setHandler,
  startChild,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import type { ChildWorkflowHandle } from '@temporalio/workflow';
import { TemporalFailure } from '@temporalio/common';
import { workflowIds } from '../domain/temporal-names.ts';
import type { ModelOutcome, OpenedTransfer, PlannedModel } from '../domain/steps.ts';
import { labelled, labelledInTask, steps } from './activity-policies.ts';
import { isStopped, noteFailure } from './failure-note.ts';
import { runModel } from './run-model.ts';
import { modelAttributes, showPhase } from './search-attributes.ts';
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
  const outcomes: Record<string, ModelOutcome> = {};
  const order: Order = { isPaused: false };
  setHandler(pauseSignal, () => {
    order.isPaused = true;
  });
  setHandler(resumeSignal, () => {
    order.isPaused = false;
  });

  const { transferId } = input;
  // Once the row says RUNNING somebody must close it, so a cancellation waits for this step.
  const open = await CancellationScope.nonCancellable(() =>
    steps.openTransfer.executeWithOptions(labelledInTask('open'), [{ transferId }]),
  );
  if (open === undefined) return;
  showPhase('copy');

  const waiting = [...open.models];
  const lane = async () => {
    for (let model = waiting.shift(); model !== undefined; model = waiting.shift()) {
      outcomes[model.modelId] = await runOne(input, model, order);
      setCurrentDetails(describe(open.models, outcomes));
    }
  };
  await Promise.all(Array.from({ length: open.modelsAtOnce }, lane));

  const isCancelled = CancellationScope.current().consideredCancelled;
  const hasFailed = Object.values(outcomes).some(({ status }) => status === 'ERROR');
  showPhase(hasFailed ? 'failed' : 'done');
  await CancellationScope.nonCancellable(() =>
    steps.closeTransfer.executeWithOptions(labelledInTask('close'), [{ transferId, outcomes }]),
  );
  // Thrown only now, so that the run shows as cancelled although its end is on record.
  if (isCancelled) await CancellationScope.current().cancelRequested;
}

/** Transfers that began without it have models which plan for themselves. */
const plansModels = 'plans-models';

/** Most transfers find little, which is moved with the plan. A model that has more gets a workflow. */
async function planModel(
  { transferId }: TransferInput,
  { modelId, modelName }: Model,
  { isPaused }: Order,
): Promise<PlannedModel> {
  const options = { ...labelled(`plan ${modelId}`), summary: `plan ${modelName}` };
  return steps.planModel.executeWithOptions(options, [{ transferId, modelId, mayMove: !isPaused }]);
}

/** What the models should have heard. */
interface Order {
  isPaused: boolean;
}

async function runOne(input: TransferInput, model: Model, order: Order): Promise<ModelOutcome> {
  if (CancellationScope.current().consideredCancelled) return { status: 'CANCELLED' };
  const telling = new CancellationScope();
  try {
    const plan = patched(plansModels) ? await planModel(input, model, order) : undefined;
    if (plan?.isDone === true) return { status: 'SUCCESS' };
    const { isPaused } = order;
    const child = await startModel(input, model, { isPaused, ...(plan && { plan }) });
    // A model that has just ended no longer hears us, and need not.
    telling.run(() => passOn(order, child, isPaused)).catch(() => undefined);
    await resultOf(child);
    return { status: 'SUCCESS' };
  } catch (error) {
    const isCancelled = CancellationScope.current().consideredCancelled;
    if (isCancellation(error) || (isCancelled && isStopped(error))) return { status: 'CANCELLED' };
    // Anything else is a fault of the code: the task is tried again until a deploy has mended it.
    if (!(error instanceof TemporalFailure)) throw error;
    return { status: 'ERROR', failure: noteFailure(causeOf(error)) };
  } finally {
    telling.cancel();
  }
}

/**
 * The end of a model, with our cancellation passed on by its id alone: that of a child names its first run,
 * which a model that continued as new has left behind (measured: it never heard).
 */
async function resultOf(model: ChildWorkflowHandle<typeof runModel>): Promise<void> {
  let isOver = false;
  const cancel = async () => {
    if (!isOver) await getExternalWorkflowHandle(model.workflowId).cancel();
  };
  CancellationScope.current()
    .cancelRequested.catch(() => CancellationScope.nonCancellable(cancel))
    .catch(() => undefined);
  try {
    await CancellationScope.nonCancellable(() => model.result());
  } finally {
    isOver = true;
  }
}

/** From when it can hear, and one message at a time: two under way at once may arrive in any order. */
async function passOn(
  order: Order,
  model: ChildWorkflowHandle<typeof runModel>,
  heard: boolean,
): Promise<never> {
  for (;;) {
    await condition(() => order.isPaused !== heard);
    heard = order.isPaused;
    await (heard ? model.signal(pauseSignal) : model.signal(resumeSignal));
  }
}

async function startModel(
  input: TransferInput,
  { modelId, modelName }: Model,
  start: { isPaused: boolean; plan?: PlannedModel },
) {
  const { transferId } = input;
  return startChild(runModel, {
    workflowId: workflowIds.model(transferId, modelId),
    workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    args: [{ transferId, modelId, ...start }],
    staticSummary: modelName,
    typedSearchAttributes: modelAttributes({ ...input, phase: 'plan' }, modelId),
  });
}

/** What the model's activity failed with, where it was an activity. */
function causeOf(error: TemporalFailure): unknown {
  const cause = error instanceof ChildWorkflowFailure ? error.cause : error;
  return cause instanceof ActivityFailure ? cause.cause : cause;
}

function describe(
  models: readonly Model[],
  outcomes: Readonly<Record<string, ModelOutcome>>,
): string {
  const lines = models.map(({ modelId, modelName }) => {
    const outcome = outcomes[modelId];
    return `| ${modelName} | ${outcome?.status ?? 'waiting or running'} |`;
  });
  return ['| model | outcome |', '| --- | --- |', ...lines].join('\n');
}
