import {
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { messageNames } from '../domain/temporal-names.ts';
import type { ModelRef, PlannedModel, SliceResult } from '../domain/steps.ts';
import { labelled, labelledData, steps } from './activity-policies.ts';
import { isStopped } from './failure-note.ts';
import { showPhase } from './search-attributes.ts';
import { pauseSignal, resumeSignal } from './signals.ts';

export interface ModelInput extends ModelRef {
  readonly isPaused: boolean;
  /** As the transfer made it. */
  readonly plan?: PlannedModel;
  /** What an earlier run of this workflow had reached, where it continued as new. */
  readonly reached?: Reached;
}

interface Reached {
  readonly plan: PlannedModel;
  /** Steps issued so far: the next one has a higher epoch than all of them. */
  readonly steps: number;
  readonly rows: number;
}

export const progressQuery = defineQuery<Reached | undefined>(messageNames.progress);

/**
 * Moves one model of one transfer as it was planned: evolve the schema, copy slices until done, finish.
 * The last slice of a merge finishes the model itself. A pause stops the running slice at its last
 * committed batch. Continues as new between slices when the server suggests it.
 */
export async function runModel(input: ModelInput): Promise<void> {
  let isPaused = input.isPaused;
  let slice: CancellationScope | undefined;
  let reached = input.reached;
  setHandler(pauseSignal, () => {
    isPaused = true;
    slice?.cancel();
  });
  setHandler(resumeSignal, () => {
    isPaused = false;
  });
  setHandler(progressQuery, () => reached);

  reached ??= await begin(input);
  for (;;) {
    if (isPaused) {
      showPhase('paused', { rows: reached.rows });
      tell(reached, 'paused: waits for resume');
      await condition(() => !isPaused);
      showPhase('copy');
    }
    const step: number = reached.steps + 1;
    reached = { ...reached, steps: step };
    slice = new CancellationScope();
    const result: SliceResult | undefined = await copyUnlessPaused(slice, { ...input, step });
    if (result === undefined) continue;
    reached = { ...reached, rows: reached.rows + result.rows };
    tell(reached, result.next);
    if (result.next !== 'slice') return finish(input, reached, result);
    // A new run would not know of a cancellation: the next slice is refused and ends this one.
    const isCancelled = CancellationScope.current().consideredCancelled;
    if (workflowInfo().continueAsNewSuggested && !isCancelled) {
      await continueAsNew<typeof runModel>({ ...input, isPaused, reached });
    }
  }
}

async function begin(input: ModelInput): Promise<Reached> {
  const { transferId, modelId } = input;
  // A transfer that began before it planned its models left that to them.
  const plan =
    input.plan ??
    (await steps.planModel.executeWithOptions(labelled('plan'), [{ transferId, modelId }]));
  if (plan.mustEvolve) {
    showPhase('evolve');
    const options = labelledData('evolve');
    await steps.evolveSchema.executeWithOptions(options, [{ transferId, modelId }]);
  }
  showPhase('copy');
  return { plan, steps: 0, rows: 0 };
}

/**
 * Undefined when a pause stopped the slice: what it committed is kept, and the next one goes on from
 * there.
 */
async function copyUnlessPaused(
  scope: CancellationScope,
  input: ModelInput & { step: number },
): Promise<SliceResult | undefined> {
  const { transferId, modelId, step } = input;
  const options = labelledData(`slice ${step}`);
  try {
    return await scope.run(() =>
      steps.copySlice.executeWithOptions(options, [{ transferId, modelId, step }]),
    );
  } catch (error) {
    // Whether it is still paused says nothing: a resume may have come before the slice had stopped.
    const isStoppedByPause =
      scope.consideredCancelled && !CancellationScope.current().consideredCancelled;
    if (isStoppedByPause && isStopped(error)) return undefined;
    throw error;
  }
}

async function finish(input: ModelInput, reached: Reached, result: SliceResult): Promise<void> {
  const { transferId, modelId } = input;
  if (result.next === 'publish') {
    showPhase('publish', { rows: reached.rows });
    const ref = { transferId, modelId, step: reached.steps + 1, fence: result.fence };
    await steps.finishModel.executeWithOptions(labelledData('finish'), [ref]);
  }
  const { windowEnd } = reached.plan;
  const bound = windowEnd === undefined ? {} : { windowEnd: new Date(windowEnd) };
  showPhase('done', { rows: reached.rows, ...bound });
}

function tell(reached: Reached, next: string): void {
  setCurrentDetails(
    [
      '| plan | steps | rows | next |',
      '| --- | --- | --- | --- |',
      `| ${reached.plan.summary} | ${reached.steps} | ${reached.rows} | ${next} |`,
    ].join('\n'),
  );
}
