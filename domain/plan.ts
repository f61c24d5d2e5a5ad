import { Failure } from './failure.ts';
import {
  compareInstants,
  earlier,
  instantFromMicros,
  later,
  minusSeconds,
  type InstantText,
} from './instant.ts';
import type {
  Cursor,
  Encoding,
  Fence,
  LoadMode,
  LoadProgress,
  LoadRecord,
  Window,
} from './load.ts';

/** How long an unfinished first load stays worth going on with. */
export const unfinishedLoadDaysMax = 7;

/** How often a load catches up at most. One makes it right; a repeat only brings it nearer to the present. */
const catchUpsMax = 2;

/** What the transfer asks for, and all that decides how one model of it is loaded. */
export interface PlanRequest {
  readonly transferId: string;
  readonly revisionId: string;
  readonly loadIdentity: string;
  readonly owner: string;
  readonly tableName: string;
  readonly isFullRefresh: boolean;
  /** It fills new columns of rows that have landed already, and moves no watermark. */
  readonly isBackfill: boolean;
  /** A later revision of the model has been at this destination: its columns miss what this run moves. */
  readonly isOutdated: boolean;
  /** As asked; both undefined where the transfer names no window. */
  readonly explicitWindow: Window;
  /** The later of the recipient's and the model's start bounds, in seconds since 1970. */
  readonly startBoundEpochSeconds: number | undefined;
  readonly lookbackSeconds: number;
  readonly fence: Fence;
  /** What the destination remembers of the model. */
  readonly record: LoadRecord | undefined;
  /** Whether a table of that name is there. */
  readonly tableExists: boolean;
  /** The record's owner is a destination of ours that was deleted: its table may be taken over. */
  readonly ownerIsGone: boolean;
}

export interface LoadDecision {
  readonly mode: LoadMode;
  readonly window: Window;
  /** Go on with the destination's unfinished load. */
  readonly continues: boolean;
  /** The watermark from which this run counts rows as new; undefined: all are. */
  readonly watermark: InstantText | undefined;
  readonly isExplicit: boolean;
  /** Of a merge: no row from before it is read. */
  readonly startBound?: InstantText | undefined;
  /** What this run reads is to be read again. */
  readonly keepsWatermark?: true;
}

/**
 * Which rows to read, and how to land them.
 * @throws Failure `schema_conflict` where the table is not ours, `destination_missing` where it has gone.
 */
export function planLoad(request: PlanRequest): LoadDecision {
  const decision = decide(request);
  const keepsWatermark = request.isBackfill || request.isOutdated;
  return keepsWatermark ? { ...decision, keepsWatermark } : decision;
}

function decide(request: PlanRequest): LoadDecision {
  checkOwner(request);
  const { record, explicitWindow } = request;
  const isExplicit = explicitWindow.after !== undefined || explicitWindow.upTo !== undefined;
  // A full refresh of a range is an upsert of that range: publishing it would delete the rest.
  const wantsAll = request.isFullRefresh && !isExplicit;
  if (request.isBackfill) return planBackfill(request);
  if (wantsAll || record === undefined || !isCopyOfThis(request)) {
    // A copy of something else is void as a whole, so a window alone would not make it right.
    return planReplace(request, isExplicit && record?.loadIdentity === undefined);
  }
  checkTable(request);
  const { watermark } = record;
  const bound = startBound(request);
  const after = incrementalStart({ watermark, startBound: bound, ...request });
  const window = isExplicit ? explicitWindow : { after, upTo: undefined };
  return { mode: 'merge', window, continues: false, watermark, isExplicit, startBound: bound };
}

/** A copy that is gone or another now has nothing to fill: the load that makes it anew brings all columns. */
function planBackfill(request: PlanRequest): LoadDecision {
  const { record, explicitWindow } = request;
  if (record === undefined || !isCopyOfThis(request)) {
    const sentence =
      'The copy whose new columns were to be filled is not at the destination any more.';
    throw new Failure('destination_missing', sentence);
  }
  checkTable(request);
  const after = later(explicitWindow.after, startBound(request));
  return {
    mode: 'merge',
    window: { after, upTo: explicitWindow.upTo },
    continues: false,
    watermark: record.watermark,
    isExplicit: true,
  };
}

/** A table under another name is another copy: a rename is a removal and an addition. */
function isCopyOfThis({ record, loadIdentity, tableName, ownerIsGone }: PlanRequest): boolean {
  return !ownerIsGone && record?.loadIdentity === loadIdentity && record.table === tableName;
}

function planReplace(request: PlanRequest, isExplicit: boolean): LoadDecision {
  const window = isExplicit
    ? request.explicitWindow
    : { after: startBound(request), upTo: undefined };
  const continues = mayContinue(request, window);
  return { mode: 'replace', window, continues, watermark: undefined, isExplicit };
}

function startBound({ startBoundEpochSeconds: seconds }: PlanRequest): InstantText | undefined {
  return seconds === undefined ? undefined : instantFromMicros(BigInt(seconds) * 1_000_000n);
}

/** The start bound holds for every read, or the lookback would fetch rows from before it. */
function incrementalStart(from: {
  readonly watermark: InstantText | undefined;
  readonly lookbackSeconds: number;
  readonly startBound: InstantText | undefined;
}): InstantText | undefined {
  const { watermark, lookbackSeconds } = from;
  const start = watermark === undefined ? undefined : minusSeconds(watermark, lookbackSeconds);
  return later(start, from.startBound);
}

/**
 * The window of the main pass. An increment begins at the watermark of the destination that is written,
 * which may have been put back to an older copy since the plan was made.
 */
export function mainWindow(load: {
  readonly decision: LoadDecision;
  readonly progress: LoadProgress;
  readonly lookbackSeconds: number;
}): Window {
  const { mode, window, isExplicit, startBound: bound } = load.decision;
  if (mode === 'replace' || isExplicit) return window;
  const { watermark } = load.progress;
  const { lookbackSeconds } = load;
  return {
    after: incrementalStart({ watermark, lookbackSeconds, startBound: bound }),
    upTo: undefined,
  };
}

/** A first load goes on in a later transfer of the same copy; a refresh only within its own transfer. */
function mayContinue(request: PlanRequest, window: Window): boolean {
  const unfinished = request.record?.unfinished;
  if (unfinished === undefined || request.ownerIsGone || unfinished.mode !== 'replace')
    return false;
  if (unfinished.loadIdentity !== request.loadIdentity) return false;
  if (unfinished.transferId === request.transferId) return true;
  const oldest = minusSeconds(request.fence.now, unfinishedLoadDaysMax * 86_400);
  return (
    !isCopyOfThis(request) &&
    !request.isFullRefresh &&
    unfinished.revisionId === request.revisionId &&
    isSameBound(unfinished.window.after, window.after) &&
    isSameBound(unfinished.window.upTo, window.upTo) &&
    compareInstants(unfinished.begunAt, oldest) >= 0
  );
}

function isSameBound(a: InstantText | undefined, b: InstantText | undefined): boolean {
  return a === undefined || b === undefined ? a === b : compareInstants(a, b) === 0;
}

/** @throws Failure `schema_conflict` where a table of that name was not made by a load of this model. */
export function checkOwnTable(record: LoadRecord | undefined, tableName: string): void {
  if (record?.loadIdentity !== undefined && record.table === tableName) return;
  throw new Failure(
    'schema_conflict',
    `Table ${tableName} at the destination was not made by Waybill. Rename it or choose another schema.`,
  );
}

function checkOwner({ record, owner, ownerIsGone, tableExists, tableName }: PlanRequest): void {
  if (tableExists) checkOwnTable(record, tableName);
  if (record !== undefined && record.owner !== owner && !ownerIsGone) {
    throw new Failure(
      'schema_conflict',
      `Table ${tableName} at the destination belongs to another destination of Waybill. ` +
        'Give this destination a schema of its own.',
    );
  }
}

function checkTable({ tableExists, tableName }: PlanRequest): void {
  if (tableExists) return;
  throw new Failure(
    'destination_missing',
    `Table ${tableName} is gone from the destination, although rows had been landed in it.`,
  );
}

/** What to do when a slice has come to its end. */
export type AfterSlice = 'go_on' | 'catch_up' | 'finish';

export interface SliceEnd {
  /** Whether the source had no more rows of the pass. */
  readonly isExhausted: boolean;
  readonly tookLongerThanSlice: boolean;
  /** How many statements read it, each from a snapshot of its own. */
  readonly statements: number;
  readonly progress: LoadProgress;
  readonly window: Window;
  readonly lookbackSeconds: number;
}

/**
 * Each statement of each attempt is one snapshot; a pass that took more than one may have missed a row that
 * moved between them, so it ends with a catch-up. A catch-up is one statement; it is repeated where it took
 * so long that much can have moved meanwhile, but not for ever: rows of one stamp, or behind a fence that an
 * old transaction holds back, make every one of them as long as the last.
 */
export function afterSlice(end: SliceEnd): AfterSlice {
  if (!end.isExhausted) return 'go_on';
  const { pass, attempts } = end.progress;
  const isOneSnapshot = attempts <= 1 && end.statements <= 1;
  const mustCatchUp = pass === 0 ? !isOneSnapshot : end.tookLongerThanSlice && pass < catchUpsMax;
  return mustCatchUp && catchUpWindow(end) !== undefined ? 'catch_up' : 'finish';
}

/** The window of a catch-up after the given pass, or undefined where the window ends below it. */
export function catchUpWindow(
  end: Pick<SliceEnd, 'progress' | 'window' | 'lookbackSeconds'>,
): Window | undefined {
  const landed = earlier(end.progress.fence, end.progress.greatest ?? end.progress.fence);
  const after = later(minusSeconds(landed, end.lookbackSeconds), end.window.after);
  const { upTo } = end.window;
  return upTo !== undefined && compareInstants(after, upTo) >= 0 ? undefined : { after, upTo };
}

/**
 * The last slice reads to its end whatever its budget: without it, a source that is written faster than
 * we read would never be caught. It is the one that opens past the source time of the plan.
 */
export function isLastSlice(progress: LoadProgress, planned: Fence): boolean {
  if (progress.pass > 0) return true;
  const cursor = progress.resumeAfter;
  return cursor !== undefined && compareInstants(cursor.lastModified, planned.now) >= 0;
}

/**
 * The watermark once a load has finished: the lower of its fence and the greatest value ever landed.
 * It never goes back, and an explicit window moves it only where it leaves no gap: what an ordinary
 * transfer would have read again below the watermark, the lookback, must have been in the window too.
 */
export function nextWatermark(load: {
  readonly decision: LoadDecision;
  readonly fence: InstantText;
  readonly progress: LoadProgress;
  readonly lookbackSeconds: number;
}): InstantText | undefined {
  const { decision, fence, progress } = load;
  if (decision.keepsWatermark || (decision.isExplicit && !reachesPast(load)))
    return progress.watermark;
  const { after, upTo } = decision.window;
  // While nothing has landed the start of the window stands for it; it may lie in the future.
  const landed = progress.greatest ?? after;
  const reached = landed === undefined ? undefined : earlier(earlier(fence, upTo), landed);
  return later(reached, progress.watermark);
}

/** An increment: whatever it has read is complete up to its last row, but for what the fence covers. */
export function movesWatermark({ mode, isExplicit, keepsWatermark }: LoadDecision): boolean {
  return mode === 'merge' && !isExplicit && !keepsWatermark;
}

/** The watermark once a batch of an increment is committed: the lower of the fence and the last row. */
export function watermarkAfterBatch(
  { fence, watermark }: Pick<LoadProgress, 'fence' | 'watermark'>,
  { lastModified }: Cursor,
): InstantText {
  return later(earlier(fence, lastModified), watermark);
}

function reachesPast(load: {
  readonly decision: LoadDecision;
  readonly progress: LoadProgress;
  readonly lookbackSeconds: number;
}): boolean {
  const { after, upTo } = load.decision.window;
  const { watermark } = load.progress;
  if (watermark === undefined) return after === undefined;
  const start = minusSeconds(watermark, load.lookbackSeconds);
  const startsBelow = after === undefined || compareInstants(after, start) <= 0;
  return startsBelow && (upTo === undefined || compareInstants(upTo, watermark) > 0);
}

/**
 * A plan as it is kept with the transfer: made once, so that every attempt of every step goes by the
 * same.
 */
export interface StoredPlan {
  readonly decision: LoadDecision;
  readonly fence: Fence;
  readonly lookbackSeconds: number;
  /** Its window is read in parts of so many seconds. */
  readonly windowSeconds?: number | undefined;
  readonly encoding: Encoding;
  readonly loadIdentity: string;
}
