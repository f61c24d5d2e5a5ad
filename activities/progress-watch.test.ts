import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { StepDeps } from './deps.ts';
import { watchProgress } from './progress-watch.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

const minute = 60_000;

function watch(signal = new AbortController().signal) {
  return watchProgress({ signal, limits: { progressMs: 10 * minute } } as StepDeps);
}

/** Work that ends when the signal does, with an error of its own, as a driver's. */
function cutOff(signal: AbortSignal): Promise<void> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('connection closed')));
  });
}

test('nothing touched for too long ends the work, and the reason is told instead of its echo', async () => {
  using watching = watch();
  const work = watching.guard(cutOff(watching.signal));
  work.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(10 * minute);
  await expect(work).rejects.toMatchObject({ kind: 'no_progress' });
});

test('each touch begins the time anew', async () => {
  using watching = watch();
  for (let count = 0; count < 5; count += 1) {
    await vi.advanceTimersByTimeAsync(9 * minute);
    watching.touch();
  }
  expect(watching.signal.aborted).toBe(false);
});

test('the end of the step ends the work with its own error', async () => {
  const step = new AbortController();
  using watching = watch(step.signal);
  const work = watching.guard(cutOff(watching.signal));
  step.abort();
  await expect(work).rejects.toThrow('connection closed');
});

test('nothing is left ticking once it is disposed of', () => {
  watch()[Symbol.dispose]();
  expect(vi.getTimerCount()).toBe(0);
});
