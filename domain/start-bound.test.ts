import { expect, test } from 'vitest';
import { laterBound } from './start-bound.ts';

test.each([
  [undefined, undefined, undefined],
  [5, undefined, 5],
  [undefined, 5, 5],
  [0, undefined, 0],
  [5, 9, 9],
  [9, 5, 9],
])('of the bounds of recipient and model the later of the two holds: %s, %s', (a, b, bound) => {
  expect(laterBound(a, b)).toBe(bound);
});
