import { describe, expect, test } from 'vitest';
import type { Failure } from './failure.ts';
import { at, everything, finished, fresh } from '../test/harness/plan-requests.ts';
import type { UnfinishedLoad } from './load.ts';
import { planLoad, type LoadDecision, type PlanRequest } from './plan.ts';

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
