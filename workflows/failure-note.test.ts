import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  RetryState,
  TimeoutFailure,
  TimeoutType,
} from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { isStopped } from './failure-note.ts';

function ofActivity(cause: Error): ActivityFailure {
  return new ActivityFailure('failed', 'copySlice', 'slice-1', RetryState.TIMEOUT, 'worker', cause);
}

function ofModel(cause: Error): ChildWorkflowFailure {
  const execution = { workflowId: 'transfer/t/m', runId: 'run' };
  const { NON_RETRYABLE_FAILURE } = RetryState;
  return new ChildWorkflowFailure('default', execution, 'runModel', NON_RETRYABLE_FAILURE, cause);
}

describe('a step that was asked to stop', () => {
  const timedOut = new TimeoutFailure('late', undefined, TimeoutType.HEARTBEAT);
  const passing = ApplicationFailure.retryable('The connection broke.', 'source_unreachable');

  test('has stopped when it says so, when its worker died first, and when it would be tried again', () => {
    for (const cause of [new CancelledFailure('stop'), timedOut, passing]) {
      expect(isStopped(ofActivity(cause))).toBe(true);
      expect(isStopped(ofModel(ofActivity(cause)))).toBe(true);
    }
  });

  test('has failed when it says that', () => {
    const failed = ApplicationFailure.nonRetryable('Not ours.', 'schema_conflict');
    expect(isStopped(ofActivity(failed))).toBe(false);
    expect(isStopped(ofModel(ofActivity(failed)))).toBe(false);
    expect(isStopped(new Error('bug'))).toBe(false);
  });
});
