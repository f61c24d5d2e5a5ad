import { describe, expect, test } from 'vitest';
import type { Fence } from '../domain/load.ts';
import type { LoadDecision, StoredPlan } from '../domain/plan.ts';
import { describePlan, rfc3339, summarisePlan } from './plan-text.ts';

const decision: LoadDecision = {
  mode: 'merge',
  window: { after: '2026-01-02 03:04:05.678901+00', upTo: undefined },
  continues: false,
  watermark: '2026-01-02 03:04:35.678901+00',
  isExplicit: false,
};
const fence: Fence = {
  at: '2026-01-02 03:05:00+00',
  now: '2026-01-02 03:05:05+00',
  guarantee: 'commit_safe',
  reason: undefined,
  grant: undefined,
  holder: undefined,
  position: undefined,
};

function planOf(
  changes: { decision?: Partial<LoadDecision>; fence?: Partial<Fence> } = {},
): StoredPlan {
  return {
    decision: { ...decision, ...changes.decision },
    fence: { ...fence, ...changes.fence },
    lookbackSeconds: 30,
    encoding: 'copy_text',
    loadIdentity: 'identity',
  };
}

test.each([
  ['2026-01-02 03:04:05.678901+00', '2026-01-02T03:04:05.678Z'],
  ['infinity', undefined],
  [undefined, undefined],
])('%s is %s to a client', (instant, text) => {
  expect(rfc3339(instant)).toBe(text);
});

describe('the line for the Temporal UI', () => {
  test('of an incremental run keeps the stamps of rows to itself', () => {
    expect(summarisePlan(planOf())).toBe('merge from the watermark');
  });

  test('of a load that goes on', () => {
    const first = { mode: 'replace', window: { after: undefined, upTo: undefined } } as const;
    const plan = planOf({ decision: { ...first, continues: true, watermark: undefined } });
    expect(summarisePlan(plan)).toBe('continued replace from the beginning');
  });

  test('of a window', () => {
    const window = { after: '2026-01-01 00:00:00+00', upTo: '2026-01-02 00:00:00+00' };
    expect(summarisePlan(planOf({ decision: { window, isExplicit: true } }))).toBe(
      'merge from 2026-01-01T00:00:00.000Z to 2026-01-02T00:00:00.000Z',
    );
  });
});

describe('the lines of the log', () => {
  test('say how far below the watermark is read', () => {
    expect(describePlan('orders', planOf()).join('\n')).toContain('the watermark less 30 s');
  });

  test('say in which windows the rows are read', () => {
    const plan = { ...planOf(), windowSeconds: 3600 };
    expect(describePlan('orders', plan).join('\n')).toContain('in windows of 3600 s at most');
  });

  test('say why late commits may be missed, and what would change that', () => {
    const weak = {
      guarantee: 'lookback',
      reason: 'two sessions are hidden',
      grant: 'grant x',
    } as const;
    const [, line] = describePlan('orders', planOf({ fence: weak }));
    expect(line).toContain('two sessions are hidden');
    expect(line).toContain('grant x');
  });

  test('name who holds the fence back', () => {
    const holder = { pid: 42, state: 'idle in transaction', ageSeconds: 90.4 };
    const [, line] = describePlan('orders', planOf({ fence: { holder } }));
    expect(line).toMatch(/session 42 .*idle in transaction.* 90 s/);
  });
});
