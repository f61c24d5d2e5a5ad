import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  TimeoutFailure,
} from '@temporalio/workflow';
import { failurePolicies, type ErrorCode, type FailureKind } from '../domain/failure.ts';
import type { FailureNote } from '../domain/steps.ts';

/** The failure of an activity, as the interceptor in `activities/` sent it, ready for the transfer's row. */
export function noteFailure(error: unknown): FailureNote {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure && isKind(cause.type)) {
    const [code, detail] = (cause.details ?? []) as [ErrorCode?, string?];
    return note(cause.type, cause.message, { code, detail });
  }
  if (cause instanceof TimeoutFailure) {
    return note('no_progress', 'The step did not end in time, retries included.', {
      detail: cause.message,
    });
  }
  return note('bug', 'Something in Waybill went wrong.', { detail: undefined });
}

/**
 * Of an activity that was asked to stop. One whose worker died before it could answer ends as timed out, and
 * one that met a passing failure just then ends with that: the server tries neither again. Whoever stopped
 * it gets what was asked for.
 */
export function isStopped(error: unknown): boolean {
  const { cause } = error instanceof ChildWorkflowFailure ? error : { cause: error };
  const reason = cause instanceof ActivityFailure ? cause.cause : cause;
  if (reason instanceof ApplicationFailure) return reason.nonRetryable !== true;
  return reason instanceof CancelledFailure || reason instanceof TimeoutFailure;
}

function isKind(type: string | undefined | null): type is FailureKind {
  return typeof type === 'string' && Object.hasOwn(failurePolicies, type);
}

function note(
  kind: FailureKind,
  message: string,
  facts: { code?: ErrorCode | undefined; detail: string | undefined },
): FailureNote {
  const policy = failurePolicies[kind];
  return {
    kind,
    code: facts.code ?? policy.code,
    blame: policy.blame,
    message,
    detail: facts.detail,
  };
}
