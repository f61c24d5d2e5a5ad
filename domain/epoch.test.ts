import { expect, test } from 'vitest';
import { compareEpochs, type Epoch } from './epoch.ts';

const epoch = (startedAtMicros: number, step: number, attempt: number): Epoch => ({
  startedAtMicros,
  step,
  attempt,
});

test('the start decides before the step, the step before the attempt', () => {
  const ranked = [epoch(1, 1, 1), epoch(1, 1, 2), epoch(1, 2, 1), epoch(1, 10, 1), epoch(2, 1, 1)];
  for (const [a, lower] of ranked.entries()) {
    for (const [b, higher] of ranked.entries()) {
      expect(Math.sign(compareEpochs(lower, higher))).toBe(Math.sign(a - b));
    }
  }
});

test('two starts in one microsecond of this century are told apart from the next', () => {
  const start = 4_102_444_800_000_000;
  expect(compareEpochs(epoch(start, 1, 1), epoch(start + 1, 1, 1))).toBeLessThan(0);
});
