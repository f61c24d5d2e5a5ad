import { expect, test } from 'vitest';
import { isTriedEnough } from './policy.ts';

test.each([
  [{ failures: 1, minutes: 0 }, false],
  [{ failures: 5, minutes: 600 }, false],
  [{ failures: 600, minutes: 29 }, false],
  [{ failures: 6, minutes: 30 }, true],
])(
  'a step gives up only after 6 failures and 30 minutes without a batch: %j',
  (since, expected) => {
    expect(isTriedEnough(since)).toBe(expected);
  },
);
