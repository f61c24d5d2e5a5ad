import { describe, expect, test } from 'vitest';
import { at } from '../test/harness/plan-requests.ts';
import { movesWatermark, watermarkAfterBatch, type LoadDecision } from './plan.ts';

describe('while a load is under way', () => {
  const increment: LoadDecision = {
    mode: 'merge',
    window: { after: at(7), upTo: undefined },
    continues: false,
    watermark: at(8),
    isExplicit: false,
  };

  test('an increment moves the watermark, and nothing else does', () => {
    expect(movesWatermark(increment)).toBe(true);
    expect(movesWatermark({ ...increment, isExplicit: true })).toBe(false);
    expect(movesWatermark({ ...increment, mode: 'replace' })).toBe(false);
    expect(movesWatermark({ ...increment, keepsWatermark: true })).toBe(false);
  });

  test.each([
    ['the last row of the batch', at(9), at(8), at(9)],
    ['the fence, where the row is stamped later', at(12), at(8), at(11)],
    ['the fence, where the row is stamped in the future', 'infinity', at(8), at(11)],
    ['where it stood, where the row is older', at(7), at(8), at(8)],
    ['the last row, where nothing was landed before', at(9), undefined, at(9)],
  ])('it moves to %s', (_, lastModified, watermark, expected) => {
    const moved = watermarkAfterBatch({ fence: at(11), watermark }, { lastModified, key: ['1'] });
    expect(moved).toBe(expected);
  });
});
