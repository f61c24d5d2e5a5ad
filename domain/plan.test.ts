import { describe, expect, test } from 'vitest';
import type { Failure } from './failure.ts';
import type { Fence, LoadProgress, LoadRecord, UnfinishedLoad, Window } from './load.ts';
import {
  afterSlice,
  catchUpWindow,
  isLastSlice,
  mainWindow,
  nextWatermark,
  planLoad,
  type LoadDecision,
  type PlanRequest,
  type SliceEnd,
} from './plan.ts';

const everything: Window = { after: undefined, upTo: undefined };

/** The hour of one day: enough to tell instants apart. */
function at(hour: number, second = 0): string {
  const digits = (value: number) => String(value).padStart(2, '0');
  return `2026-03-10 ${digits(hour)}:00:${digits(second)}.000000+00`;
}

const fence: Fence = {
  at: at(11),
  now: at(12),
  guarantee: 'commit_safe',
  reason: undefined,
  grant: undefined,
  holder: undefined,
  position: undefined,
};

const fresh: PlanRequest = {
  transferId: 'transfer-2',
  revisionId: 'revision-1',
  loadIdentity: 'this copy',
  owner: 'prod/destination-1',
  tableName: 'orders',
  isFullRefresh: false,
  isBackfill: false,
  isOutdated: false,
  explicitWindow: everything,
  startBoundEpochSeconds: undefined,
  lookbackSeconds: 30,
  fence,
  record: undefined,
  tableExists: false,
  ownerIsGone: false,
};

const finished: LoadRecord = {
  owner: fresh.owner,
  loadIdentity: fresh.loadIdentity,
  table: fresh.tableName,
  epoch: { startedAtMicros: 1, step: 1, attempt: 1 },
  watermark: at(10),
  greatest: at(10),
  fence: at(10),
  appliedTable: undefined,
  unfinished: undefined,
};

const halfDone: UnfinishedLoad = {
  transferId: 'transfer-1',
  revisionId: fresh.revisionId,
  mode: 'replace',
  loadIdentity: fresh.loadIdentity,
  window: everything,
  begunAt: at(1),
};

/** A copy of the same rows has been landed before. */
const landed: PlanRequest = { ...fresh, record: finished, tableExists: true };
/** A first load was begun by an earlier transfer and has not finished. */
const begun: PlanRequest = {
  ...fresh,
  record: { ...finished, loadIdentity: undefined, watermark: undefined, unfinished: halfDone },
};
const minute = Date.UTC(2026, 2, 10, 9) / 1000;

describe('which rows a transfer reads, and how they land', () => {
  function check(request: PlanRequest, expected: Partial<LoadDecision>) {
    expect(planLoad(request)).toMatchObject(expected);
  }
  const whole = {
    mode: 'replace',
    window: everything,
    watermark: undefined,
    isExplicit: false,
  } as const;

  test('the first load takes everything', () => {
    check(fresh, { ...whole, continues: false });
  });

  test('the first load begins at the start bound', () => {
    check(
      { ...fresh, startBoundEpochSeconds: minute },
      { window: { after: at(9), upTo: undefined } },
    );
  });

  test('an explicit window on the first load lands that window exactly, whatever the start bound', () => {
    const explicitWindow = { after: at(3), upTo: at(4) };
    check(
      { ...fresh, explicitWindow, startBoundEpochSeconds: minute },
      { mode: 'replace', window: explicitWindow, isExplicit: true },
    );
  });

  test('a later load begins at the watermark less the lookback and has no end', () => {
    const after = '2026-03-10 09:59:30.000000+00';
    check(landed, {
      mode: 'merge',
      window: { after, upTo: undefined },
      watermark: at(10),
      continues: false,
    });
  });

  test('the lookback reads nothing from before the start bound', () => {
    const startBoundEpochSeconds = Date.UTC(2026, 2, 10, 9, 59, 50) / 1000;
    const window = { after: '2026-03-10 09:59:50.000000+00', upTo: undefined };
    check({ ...landed, startBoundEpochSeconds }, { mode: 'merge', window });
    check(
      { ...landed, startBoundEpochSeconds: 0 },
      { window: { after: '2026-03-10 09:59:30.000000+00', upTo: undefined } },
    );
  });

  test('a copy without a watermark is read from the start again, as an upsert', () => {
    const record = { ...finished, watermark: undefined };
    check({ ...landed, record }, { mode: 'merge', window: everything, watermark: undefined });
  });

  test('a full refresh takes everything and counts all rows as new', () => {
    check({ ...landed, isFullRefresh: true }, whole);
  });

  test('a full refresh of a range is an upsert of that range', () => {
    const explicitWindow = { after: at(3), upTo: undefined };
    check(
      { ...landed, isFullRefresh: true, explicitWindow },
      { mode: 'merge', window: explicitWindow, watermark: at(10), isExplicit: true },
    );
  });

  test('an explicit window is an upsert of exactly that range', () => {
    for (const explicitWindow of [
      { after: at(3), upTo: at(4) },
      { after: undefined, upTo: at(4) },
    ]) {
      check(
        { ...landed, explicitWindow },
        { mode: 'merge', window: explicitWindow, isExplicit: true },
      );
    }
  });

  test.each([
    ['another copy', { loadIdentity: 'that copy' }],
    ['a table of another name', { table: 'orders_old' }],
  ])('%s voids the watermark, and a window alone would not make it right', (_, changed) => {
    const record = { ...finished, ...changed };
    const tableExists = !('table' in changed);
    check({ ...landed, record, tableExists }, whole);
    check({ ...landed, record, tableExists, explicitWindow: { after: at(3), upTo: at(4) } }, whole);
  });

  test('the table of a deleted destination is taken over by a full load', () => {
    const record = { ...finished, owner: 'prod/deleted', unfinished: halfDone };
    const request = { ...landed, record, ownerIsGone: true };
    check(request, { ...whole, continues: false });
    check({ ...request, explicitWindow: { after: at(3), upTo: at(4) } }, whole);
  });
});

describe('going on with an unfinished load', () => {
  function check(request: PlanRequest, continues: boolean) {
    expect(planLoad(request).continues).toBe(continues);
  }
  const withUnfinished = (changed: Partial<UnfinishedLoad>, request = begun): PlanRequest => ({
    ...request,
    record: { ...finished, ...request.record, unfinished: { ...halfDone, ...changed } },
  });

  test('a first load goes on in the next transfer', () => {
    check(begun, true);
    const asked = { ...begun, startBoundEpochSeconds: minute };
    check(
      withUnfinished({ window: { after: '2026-03-10 09:00:00+00', upTo: undefined } }, asked),
      true,
    );
  });

  test.each([
    ['its own revision', { revisionId: 'revision-0' }],
    ['its own copy', { loadIdentity: 'that copy' }],
    ['its own window', { window: { after: at(3), upTo: undefined } }],
    ['its own end', { window: { after: undefined, upTo: at(3) } }],
    ['a whole copy', { mode: 'merge' }],
    ['seven days', { begunAt: '2026-03-03 11:59:59+00' }],
  ] as const)('a first load goes on only within %s', (_, changed) => {
    check(withUnfinished(changed), false);
  });

  test('seven days are the last moment', () => {
    check(withUnfinished({ begunAt: '2026-03-03 12:00:00+00' }), true);
  });

  test('a refresh goes on within its own transfer only', () => {
    const refresh = { ...landed, isFullRefresh: true };
    check(withUnfinished({}, refresh), false);
    check(withUnfinished({ transferId: refresh.transferId }, refresh), true);
  });

  test('a first load is not gone on with where a full refresh is asked for', () => {
    check({ ...begun, isFullRefresh: true }, false);
  });

  test('an incremental load does not wait for an unfinished refresh', () => {
    const request = withUnfinished({}, landed);
    check(request, false);
    expect(planLoad(request).mode).toBe('merge');
  });

  test('a copy of something else that was begun goes on too', () => {
    const record = { ...finished, loadIdentity: 'that copy', unfinished: halfDone };
    check({ ...landed, record }, true);
  });
});

describe('tables that are not ours', () => {
  function check(request: PlanRequest, kind: Failure['kind']) {
    expect(() => planLoad(request)).toThrow(expect.objectContaining({ kind }));
  }

  test('a table that Waybill did not make is never written', () => {
    check({ ...fresh, tableExists: true }, 'schema_conflict');
    check({ ...begun, tableExists: true }, 'schema_conflict');
    check({ ...fresh, tableExists: true, ownerIsGone: true }, 'schema_conflict');
  });

  test('a table that stands under the new name of a model is not ours', () => {
    const record = { ...finished, table: 'orders_old' };
    check({ ...landed, record }, 'schema_conflict');
    check({ ...landed, record, isFullRefresh: true }, 'schema_conflict');
  });

  test('a table of another destination is left to it', () => {
    const record = { ...finished, owner: 'prod/destination-2' };
    check({ ...landed, record }, 'schema_conflict');
    check({ ...landed, record, isFullRefresh: true }, 'schema_conflict');
  });

  test('a table that has gone is not filled with a fragment, but a full refresh makes it again', () => {
    const gone = { ...landed, tableExists: false };
    check(gone, 'destination_missing');
    expect(planLoad({ ...gone, isFullRefresh: true }).mode).toBe('replace');
  });
});

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
