import { describe, expect, test } from 'vitest';
import { at, everything, fence } from '../test/harness/plan-requests.ts';
import type { LoadProgress, Window } from './load.ts';
import {
  afterSlice,
  catchUpWindow,
  isLastSlice,
  mainWindow,
  nextWatermark,
  type LoadDecision,
  type SliceEnd,
} from './plan.ts';

const progress: LoadProgress = {
  pass: 0,
  attempts: 1,
  fence: at(11),
  resumeAfter: undefined,
  greatest: at(10),
  watermark: undefined,
  rows: 1,
};

describe('what follows a slice', () => {
  const end: SliceEnd = {
    isExhausted: true,
    tookLongerThanSlice: false,
    statements: 1,
    progress,
    window: everything,
    lookbackSeconds: 30,
  };
  function check(changed: Partial<SliceEnd>, expected: string) {
    expect(afterSlice({ ...end, ...changed })).toBe(expected);
  }
  const retried = { ...progress, attempts: 2 };
  const catchUp = { ...progress, pass: 1, attempts: 1 };

  test('a slice that left rows behind is followed by another', () => {
    check({ isExhausted: false }, 'go_on');
    check({ isExhausted: false, progress: retried }, 'go_on');
  });

  test('one snapshot needs no catch-up, however long it took', () => {
    check({}, 'finish');
    check({ tookLongerThanSlice: true }, 'finish');
  });

  test('more than one snapshot is followed by a catch-up', () => {
    check({ progress: retried }, 'catch_up');
  });

  test('more than one statement is more than one snapshot', () => {
    check({ statements: 2 }, 'catch_up');
    check({ statements: 2, isExhausted: false }, 'go_on');
  });

  test('a catch-up is repeated only while it takes longer than a slice', () => {
    check({ progress: catchUp }, 'finish');
    check({ progress: { ...catchUp, attempts: 3 } }, 'finish');
    check({ progress: catchUp, tookLongerThanSlice: true }, 'catch_up');
  });

  test('a catch-up is repeated once at most: one of equal stamps would never get shorter', () => {
    check({ progress: { ...catchUp, pass: 2 }, tookLongerThanSlice: true }, 'finish');
    check({ progress: { ...catchUp, pass: 7 }, tookLongerThanSlice: true }, 'finish');
  });

  test('no catch-up where the window ends below it', () => {
    check({ progress: retried, window: { after: undefined, upTo: at(9) } }, 'finish');
    check({ progress: retried, window: { after: undefined, upTo: at(10) } }, 'catch_up');
  });
});

describe('the window of a catch-up', () => {
  function check(changed: Partial<LoadProgress>, window: Window, expected: Window | undefined) {
    expect(
      catchUpWindow({ progress: { ...progress, ...changed }, window, lookbackSeconds: 30 }),
    ).toEqual(expected);
  }

  test('begins at what the watermark would have been, less the lookback', () => {
    check({ greatest: at(10) }, everything, {
      after: '2026-03-10 09:59:30.000000+00',
      upTo: undefined,
    });
    check({ greatest: at(12) }, everything, {
      after: '2026-03-10 10:59:30.000000+00',
      upTo: undefined,
    });
    check({ greatest: 'infinity' }, everything, {
      after: '2026-03-10 10:59:30.000000+00',
      upTo: undefined,
    });
    check({ greatest: undefined }, everything, {
      after: '2026-03-10 10:59:30.000000+00',
      upTo: undefined,
    });
  });

  test('stays inside the window of the load', () => {
    check({}, { after: at(10), upTo: at(11) }, { after: at(10), upTo: at(11) });
    check({}, { after: undefined, upTo: '2026-03-10 09:59:30+00' }, undefined);
  });
});

describe('the last slice of a pass', () => {
  function check(changed: Partial<LoadProgress>, expected: boolean) {
    expect(isLastSlice({ ...progress, ...changed }, fence)).toBe(expected);
  }

  test('is the one that opens past the source time of the plan', () => {
    check({ resumeAfter: undefined }, false);
    check({ resumeAfter: { lastModified: at(11, 59), key: ['1'] } }, false);
    check({ resumeAfter: { lastModified: at(12), key: ['1'] } }, true);
    check({ resumeAfter: { lastModified: 'infinity', key: ['1'] } }, true);
  });

  test('is every slice of a catch-up', () => {
    check({ pass: 1 }, true);
  });
});

describe('the window of the main pass', () => {
  const increment: LoadDecision = {
    mode: 'merge',
    window: { after: at(8), upTo: undefined },
    continues: false,
    watermark: at(8),
    isExplicit: false,
    startBound: at(3),
  };
  function check(
    changes: Partial<LoadDecision>,
    watermark: string | undefined,
    after: string | undefined,
  ) {
    const decision = { ...increment, ...changes };
    const load = { decision, progress: { ...progress, watermark }, lookbackSeconds: 0 };
    expect(mainWindow(load)).toEqual({ ...decision.window, after });
  }

  test('begins at the watermark of the destination that is written', () => {
    check({}, at(8), at(8));
    check({}, at(7), at(7));
  });

  test('begins nowhere below the start bound', () => {
    check({}, at(2), at(3));
    check({}, undefined, at(3));
    check({ startBound: undefined }, undefined, undefined);
  });

  test('is as planned where it is explicit, or a copy of everything', () => {
    check({ isExplicit: true }, at(7), at(8));
    check({ mode: 'replace' }, at(7), at(8));
  });
});

describe('the watermark after a load', () => {
  const whole: LoadDecision = {
    mode: 'merge',
    window: everything,
    continues: false,
    watermark: at(8),
    isExplicit: false,
  };
  interface Case {
    readonly decision?: Partial<LoadDecision>;
    readonly greatest?: string | undefined;
    readonly before?: string | undefined;
  }
  function check(given: Case, expected: string | undefined) {
    const { greatest = at(10) } = given;
    const before = 'before' in given ? given.before : at(8);
    const decision = { ...whole, watermark: before, ...given.decision };
    const landedSoFar = {
      ...progress,
      greatest: 'greatest' in given ? given.greatest : greatest,
      watermark: before,
    };
    const load = { decision, fence: fence.at, progress: landedSoFar, lookbackSeconds: 30 };
    expect(nextWatermark(load)).toBe(expected);
  }
  const explicit = (
    after: string | undefined,
    upTo: string | undefined,
  ): Partial<LoadDecision> => ({
    window: { after, upTo },
    isExplicit: true,
  });

  test('is the lower of the fence and the greatest value ever landed', () => {
    check({ greatest: at(10) }, at(10));
    check({ greatest: at(12) }, at(11));
    check({ greatest: 'infinity' }, at(11));
  });

  test('never goes back', () => {
    check({ greatest: at(7) }, at(8));
    check({ before: at(12) }, at(12));
  });

  test('stays at the start of the window while nothing has landed', () => {
    const nothing = { greatest: undefined, before: undefined };
    check(nothing, undefined);
    check({ ...nothing, decision: { window: { after: at(3), upTo: undefined } } }, at(3));
    check({ ...nothing, decision: { window: { after: at(23), upTo: undefined } } }, at(11));
  });

  test('is moved by an explicit window only where it leaves no gap', () => {
    check({ decision: explicit(at(7), undefined) }, at(10));
    check({ decision: explicit(at(7), at(9)) }, at(9));
    check({ decision: explicit(undefined, at(9)) }, at(9));
    check({ decision: explicit(at(9), undefined) }, at(8));
    check({ decision: explicit(at(3), at(8)) }, at(8));
    check({ decision: explicit(at(3), at(4)) }, at(8));
  });

  test('is not moved by an explicit window over what an older copy of the destination lacks', () => {
    check({ before: at(5), decision: { ...explicit(at(7), undefined), watermark: at(8) } }, at(5));
  });

  test('is not moved past rows of the lookback that an explicit window left out', () => {
    check({ decision: explicit('2026-03-10 07:59:30+00', undefined) }, at(10));
    check({ decision: explicit('2026-03-10 07:59:30.000001+00', undefined) }, at(8));
    check({ decision: explicit(at(8), undefined) }, at(8));
  });

  test('is set by the first explicit window only where it has no start', () => {
    const before = undefined;
    check({ before, decision: explicit(undefined, at(9)) }, at(9));
    check({ before, decision: explicit(undefined, at(9)), greatest: undefined }, undefined);
    check({ before, decision: explicit(at(3), undefined) }, undefined);
  });
});
