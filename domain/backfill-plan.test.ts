import { expect, test } from 'vitest';
import { at, fence, finished, fresh } from '../test/harness/plan-requests.ts';
import { nextWatermark, planLoad, type PlanRequest } from './plan.ts';

const record = { ...finished, watermark: at(8), greatest: at(9), fence: at(8) };

/** The rows below the watermark from before the column was added. */
const filling: PlanRequest = {
  ...fresh,
  revisionId: 'revision-2',
  isBackfill: true,
  explicitWindow: { after: undefined, upTo: at(8) },
  fence: { ...fence, at: at(12) },
  record,
  tableExists: true,
};

const progress = {
  ...{ pass: 0, attempts: 1, fence: at(12), resumeAfter: undefined, rows: 0 },
  ...{ greatest: at(9), watermark: at(8) },
};

test('a backfill is an upsert of its window above the start bound', () => {
  const window = { after: undefined, upTo: at(8) };
  expect(planLoad(filling)).toMatchObject({ mode: 'merge', window, isExplicit: true });
  const bound = { ...filling, startBoundEpochSeconds: Date.UTC(2026, 2, 10, 5) / 1000 };
  expect(planLoad(bound).window).toEqual({
    after: '2026-03-10 05:00:00.000000+00',
    upTo: at(8),
  });
});

test('a backfill makes no copy: where that is gone or another by now, it ends', () => {
  const gone = { record: undefined, tableExists: false };
  for (const change of [gone, { tableExists: false }, { loadIdentity: 'other' }]) {
    expect(() => planLoad({ ...filling, ...change })).toThrow(
      expect.objectContaining({ kind: 'destination_missing' }),
    );
  }
});

test.each([
  ['a backfill', { explicitWindow: { after: undefined, upTo: at(23) } }],
  ['an increment of an older revision', { ...open(), isOutdated: true }],
  ['a full refresh of an older revision', { ...open(), isOutdated: true, isFullRefresh: true }],
])('%s moves no watermark', (_, change) => {
  const decision = planLoad({ ...filling, ...change });
  const load = { decision, fence: at(12), progress, lookbackSeconds: 30 };
  expect(nextWatermark(load)).toBe(at(8));
});

function open() {
  return { isBackfill: false, explicitWindow: { after: undefined, upTo: undefined } };
}
