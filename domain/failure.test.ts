import { expect, test } from 'vitest';
import {
  Failure,
  errorTitles,
  failurePolicies,
  toErrorObject,
  toFailure,
  type FailureKind,
} from './failure.ts';

const kinds = Object.keys(failurePolicies) as FailureKind[];

test.each(kinds)('the kind %s has a title for its code and a remedy that is a sentence', (kind) => {
  const { policy, code } = new Failure(kind, 'Something failed.');
  expect(errorTitles[code]).toBeTruthy();
  expect(policy.remedy).toMatch(/^[A-Z].*\.$/);
});

test('a thrower may know a more exact code', () => {
  const failure = new Failure('source_denied', 'The source refused the login.', { code: 'AUTH' });
  expect(failure.code).toBe('AUTH');
  expect(failure.policy.retry).toBe('after_change');
});

test('the error object holds the sentence, the remedy and a trace of our own words', () => {
  const failure = new Failure('source_busy', 'The source is busy.', {
    detail: '40001',
    cause: new Error('row 7'),
  });
  expect(toErrorObject(failure)).toEqual({
    error_code: 'WBL-BUSY',
    title: 'The other end is busy',
    blame: 'first_party',
    message: 'The source is busy. Nothing to do: Waybill tries again.',
    trace: 'source_busy: 40001',
  });
  expect(toErrorObject(new Failure('fenced', 'A newer attempt runs.')).trace).toBe('fenced');
});

test('what is thrown without being a failure becomes a bug, without its text', () => {
  const secret = new TypeError('card 4111 1111');
  const failure = toFailure(secret);
  expect(failure).toMatchObject({ kind: 'bug', detail: 'TypeError', cause: secret });
  expect(JSON.stringify(toErrorObject(failure))).not.toContain('4111');
  expect(toFailure('card 4111').detail).toBe('string');
});

test('a failure stays itself', () => {
  const failure = new Failure('invalid', 'No.', {
    violations: [{ path: 'a', code: 'M1', message: 'b' }],
  });
  expect(toFailure(failure)).toBe(failure);
  expect(failure.violations).toHaveLength(1);
  expect(new Failure('invalid', 'No.').violations).toEqual([]);
});
