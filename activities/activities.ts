import { Context } from '@temporalio/activity';
import type { StepOutcome } from '../domain/metrics.ts';
import type { ActivityDeps, StepDeps } from './deps.ts';
import { asApplicationFailure } from './activity-failure.ts';
import { checkConnection } from './check-connection.ts';
import { chooseTransfers } from './choose-transfers.ts';
import { closeTransfer } from './close-transfer.ts';
import { compareModel } from './compare-model.ts';
import { copySlice } from './copy-slice.ts';
import { deliverWebhook } from './deliver-webhook.ts';
import { evolveSchema } from './evolve-schema.ts';
import { finishModel } from './finish-model.ts';
import { closeIntegrity, openIntegrity } from './integrity-job.ts';
import { openTransfer } from './open-transfer.ts';
import { planModel } from './plan-model.ts';
import { reconcileTransfers } from './reconcile-transfers.ts';
import { submitTransfer } from './submit-transfer.ts';
import { validateModel } from './validate-model.ts';

/** The ticker proves that the process lives, and a cancellation or pause arrives on its answer. */
const beatEveryMs = 3000;

/**
 * The activities under the names that histories remember. This is the only file that knows how Temporal
 * calls them: what a step needs of it comes as `StepDeps`.
 */
export function createActivities(deps: ActivityDeps) {
  const step =
    <I, O>(run: (stepDeps: StepDeps, input: I) => Promise<O>) =>
    (input: I): Promise<O> =>
      runStep(deps, run, input);
  return {
    checkConnection: step(checkConnection),
    chooseTransfers: step(chooseTransfers),
    closeIntegrity: step(closeIntegrity),
    closeTransfer: step(closeTransfer),
    compareModel: step(compareModel),
    copySlice: step(copySlice),
    deliverWebhook: step(deliverWebhook),
    evolveSchema: step(evolveSchema),
    finishModel: step(finishModel),
    openIntegrity: step(openIntegrity),
    openTransfer: step(openTransfer),
    planModel: step(planModel),
    reconcileTransfers: () => runStep(deps, reconcileTransfers, undefined),
    submitTransfer: step(submitTransfer),
    validateModel: step(validateModel),
  };
}

export type Activities = ReturnType<typeof createActivities>;

async function runStep<I, O>(
  deps: ActivityDeps,
  run: (stepDeps: StepDeps, input: I) => Promise<O>,
  input: I,
): Promise<O> {
  const context = Context.current();
  const { info } = context;
  let counts: Readonly<Record<string, number>> = {};
  // A step inside the workflow's task has nobody to tell.
  const beat = info.isLocal ? () => undefined : () => context.heartbeat(counts);
  const ticker = setInterval(beat, beatEveryMs);
  const log = deps.log.child({
    step: info.activityType,
    workflow: info.workflowExecution?.workflowId,
    attempt: info.attempt,
  });
  const startedAt = performance.now();
  const ended = (outcome: StepOutcome) =>
    deps.metrics.stepEnded(info.activityType, outcome, (performance.now() - startedAt) / 1000);
  try {
    const output = await run(
      {
        ...deps,
        log,
        signal: context.cancellationSignal,
        attempt: info.attempt,
        workflowRunId: info.workflowExecution?.runId ?? '',
        beat: (next) => {
          deps.metrics.moved(since(counts, next));
          counts = { ...next };
          context.heartbeat(counts);
        },
      },
      input,
    );
    ended('finished');
    log.info({ ...counts, ms: Math.round(performance.now() - startedAt) }, 'step finished');
    return output;
  } catch (error) {
    // A cancelled step ends as cancelled, whatever its connections said while they were cut.
    const { aborted, reason } = context.cancellationSignal;
    if (aborted) {
      ended('stopped');
      log.info({ ...counts, why: reason.message }, 'step stopped');
      throw reason;
    }
    ended('failed');
    const failure = await asApplicationFailure(
      { ...deps, log },
      { error, input, step: info.activityType },
    );
    deps.metrics.stepFailed(info.activityType, failure.type ?? 'bug');
    throw failure;
  } finally {
    clearInterval(ticker);
  }
}

/** What has come to the counts since they were last told. */
function since(before: Readonly<Record<string, number>>, now: Readonly<Record<string, number>>) {
  const of = (name: string) => (now[name] ?? 0) - (before[name] ?? 0);
  return { rows: of('rows'), bytes: of('bytes'), batches: of('batches') };
}
