import { ApplicationFailure } from '@temporalio/activity';
import { isDatabaseAway } from '../db/database.ts';
import { keepTrace } from '../db/traces.ts';
import { countFailure } from '../db/model-runs.ts';
import { driverTextOf, Failure, toFailure } from '../domain/failure.ts';
import { isTriedEnough } from '../domain/policy.ts';
import type { ModelRef } from '../domain/steps.ts';
import type { ActivityDeps } from './deps.ts';

/** Our sentences are short; this bounds what a mistake could put into a history. */
const messageCharsMax = 1000;

/**
 * The one place where a failure becomes Temporal's. The kind is its `type`; the driver's error, which may
 * quote rows, stays here: the SDK would write the chain of causes into the history.
 */
export async function asApplicationFailure(
  deps: Pick<ActivityDeps, 'db' | 'log' | 'sealer'>,
  { error, input, step }: { error: unknown; input: unknown; step: string },
): Promise<ApplicationFailure> {
  const failure = isDatabaseAway(error)
    ? new Failure('unavailable', 'The database of Waybill does not answer.')
    : toFailure(error);
  const mayRetry = failure.policy.retry === 'soon' && !(await isExhausted(deps, failure, input));
  await keepDriverText(deps, failure, input);
  const level = failure.kind === 'bug' ? 'error' : 'warn';
  deps.log[level](
    {
      kind: failure.kind,
      code: failure.code,
      detail: failure.detail,
      mayRetry,
      ...stackOf(failure),
    },
    failure.message,
  );
  return ApplicationFailure.create({
    type: failure.kind,
    message: failure.message.slice(0, messageCharsMax),
    details: [failure.code, failure.detail?.slice(0, messageCharsMax), step],
    nonRetryable: !mayRetry,
    ...(failure.retryAfterMs === undefined ? {} : { nextRetryDelay: failure.retryAfterMs }),
  });
}

/** For endpoints that asked for it. That it cannot be kept is no reason to fail in another way. */
async function keepDriverText(
  { db, sealer, log }: Pick<ActivityDeps, 'db' | 'log' | 'sealer'>,
  failure: Failure,
  input: unknown,
): Promise<void> {
  const trace = driverTextOf(failure);
  if (trace === undefined || !isModelRef(input)) return;
  const { transferId, modelId } = input;
  await keepTrace(db, sealer, { transferId, modelId, code: failure.code, trace }).catch(() => {
    log.warn({ transferId, modelId }, 'a sensitive trace could not be kept');
  });
}

/** Frames name our code and no values; the first line of a stack is the message, which may. */
function stackOf(failure: Failure): { stack?: string } {
  if (failure.kind !== 'bug' || !(failure.cause instanceof Error)) return {};
  const frames = (failure.cause.stack ?? '')
    .split('\n')
    .filter((line) => line.startsWith('    at '));
  return { stack: frames.slice(0, 10).join('\n') };
}

/**
 * Whether a step of a model has had all the transient failures it may have since its last committed
 * batch.
 */
async function isExhausted(
  { db }: Pick<ActivityDeps, 'db'>,
  failure: Failure,
  input: unknown,
): Promise<boolean> {
  if (failure.kind === 'unavailable' || !isModelRef(input)) return false;
  const count = await countFailure(db, input).catch(() => undefined);
  return count !== undefined && isTriedEnough(count);
}

function isModelRef(input: unknown): input is ModelRef {
  return typeof input === 'object' && input !== null && 'transferId' in input && 'modelId' in input;
}
