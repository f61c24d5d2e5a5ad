import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { mapLimit } from './map-limit.ts';

test('results keep the order of the items, and no more than the limit run at once', async () => {
  let running = 0;
  let most = 0;
  const results = await mapLimit([3, 1, 2, 0], 2, async (turns) => {
    running += 1;
    most = Math.max(most, running);
    for (let turn = 0; turn < turns; turn += 1) await setImmediate();
    running -= 1;
    return turns * 10;
  });
  expect(results).toEqual([30, 10, 20, 0]);
  expect(most).toBe(2);
});

test('after a failure nothing new begins and what runs is awaited', async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const work = mapLimit([0, 1, 2, 3], 2, async (item) => {
    begun.push(item);
    await setImmediate();
    if (item === 0) throw new Error('first');
    await setImmediate();
    ended.push(item);
  });
  await expect(work).rejects.toThrow('first');
  expect(begun).toEqual([0, 1]);
  expect(ended).toEqual([1]);
});

test('no items give no results', async () => {
  expect(await mapLimit([], 3, async () => 1)).toEqual([]);
});
