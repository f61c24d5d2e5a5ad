import {
  ActivityFailure,
  ApplicationFailure,
  TimeoutFailure,
  TimeoutType,
} from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { failurePolicies, type FailureKind } from '../../domain/failure.ts';
import { noteFailure } from '../../workflows/failure-note.ts';

/** As it comes out of a workflow's activity call. */
function fromActivity(cause: Error): ActivityFailure {
  return new ActivityFailure(
    'Activity failed',
    'copySlice',
    'slice-1',
    'MAXIMUM_ATTEMPTS_REACHED',
    undefined,
    cause,
  );
}

describe('what a transfer is told of a failure', () => {
  test.each(Object.keys(failurePolicies) as FailureKind[])('of kind %s', (kind) => {
    const { code, blame } = failurePolicies[kind];
    const failure = ApplicationFailure.create({
      type: kind,
      message: 'A sentence.',
      details: [code, '42804'],
    });
    const expected = { kind, code, blame, message: 'A sentence.', detail: '42804' };
    expect(noteFailure(fromActivity(failure))).toEqual(expected);
  });

  test('a more exact code than the kind’s own is kept', () => {
    const failure = ApplicationFailure.create({ type: 'source_denied', details: ['AUTH'] });
    expect(noteFailure(failure)).toMatchObject({ kind: 'source_denied', code: 'AUTH' });
  });

  test('a step that ran out of time made no progress', () => {
    const failure = new TimeoutFailure('activity timeout', undefined, TimeoutType.HEARTBEAT);
    expect(noteFailure(fromActivity(failure))).toMatchObject({ kind: 'no_progress', code: 'TIME' });
  });

  test.each([
    ['an error without a kind', new Error('password=secret')],
    [
      'a kind that nobody knows',
      ApplicationFailure.create({ type: 'toString', message: 'secret' }),
    ],
  ])('%s is a bug, and its text stays out', (_what, error) => {
    const note = noteFailure(fromActivity(error));
    expect(note.kind).toBe('bug');
    expect(JSON.stringify(note)).not.toContain('secret');
  });
});
