import { compareEpochs } from '../../domain/epoch.ts';
import { Failure } from '../../domain/failure.ts';
import type { InstantText } from '../../domain/instant.ts';
import type {
  Cursor,
  LoadPlan,
  LoadProgress,
  LoadRecord,
  UnfinishedLoad,
} from '../../domain/load.ts';
import type { Receipt } from '../connector.ts';
import type { Draft } from './store.ts';

/** A load that is under way, or the one that finished last. */
export interface LoadState extends UnfinishedLoad {
  readonly pass: number;
  /** Attempts whose rows count in this pass; 0 when the pass has only been announced. */
  readonly attempts: number;
  readonly fence: InstantText;
  readonly cursor: Cursor | undefined;
  /** The greatest last-modified value ever landed, this load included. */
  readonly greatest: InstantText | undefined;
  readonly rows: number;
  /** Of a replace: the table that nobody sees yet. */
  readonly hiddenTable: string | undefined;
  /** Stands in every row of the hidden table. It grows with each attempt, also over passes and transfers. */
  readonly attemptMark: number;
  /** The last key of the live table that is published; undefined before the first. */
  readonly publishedTo: string | undefined;
  /** The step that found the hidden table of this load gone, and began it anew. */
  readonly lostInStep: number | undefined;
}

/** The row that a destination keeps for each model. */
export interface StoredLoad extends LoadRecord {
  readonly unfinished: LoadState | undefined;
  /** How the last finished load ended: whoever did not hear of it asks again. */
  readonly finished: { readonly state: LoadState; readonly receipt: Receipt } | undefined;
}

/**
 * Shows the plan's epoch and begins its load or goes on with it. What it returns stands in the draft too.
 * @throws Failure `fenced` where a higher epoch was seen.
 */
export function openLoad(draft: Draft, plan: LoadPlan, now: InstantText): StoredLoad {
  const stored = draft.loads.get(plan.modelId) ?? neverLoaded(plan);
  if (compareEpochs(stored.epoch, plan.epoch) > 0) throw fenced();
  const isThere = isSameCopy(stored, plan) || draft.tables.has(plan.table.name);
  if (plan.mode === 'merge' && !isThere) throw copyGone();
  const opened = { ...chooseState(draft, stored, { plan, now }), epoch: plan.epoch };
  draft.loads.set(plan.modelId, opened);
  return opened;
}

function neverLoaded(plan: LoadPlan): StoredLoad {
  return {
    owner: plan.owner,
    loadIdentity: undefined,
    table: plan.table.name,
    epoch: plan.epoch,
    watermark: undefined,
    greatest: undefined,
    fence: undefined,
    appliedTable: undefined,
    unfinished: undefined,
    finished: undefined,
  };
}

function chooseState(
  draft: Draft,
  stored: StoredLoad,
  { plan, now }: { plan: LoadPlan; now: InstantText },
): StoredLoad {
  const { unfinished, finished } = stored;
  // Begun anew, a load that had finished would publish an empty copy over the one it published before.
  if (unfinished === undefined && isLoadOf(finished?.state, plan)) return stored;
  const isWanted = unfinished !== undefined && isToGoOn(unfinished, plan);
  const { hiddenTable } = unfinished ?? {};
  const isWhole = hiddenTable === undefined || draft.tables.has(hiddenTable);
  if (isWanted && isWhole) return { ...stored, unfinished: goOn(unfinished, plan) };
  if (plan.isWhole && !isWanted) throw lostCopy(plan.table.name);
  if (hiddenTable !== undefined) draft.tables.delete(hiddenTable);
  const lostInStep = isWanted ? plan.epoch.step : undefined;
  return { ...stored, unfinished: { ...begin(draft, stored, { plan, now }), lostInStep } };
}

/** Whether the state is of this very load: another attempt at it, not another load. */
export function isLoadOf(state: LoadState | undefined, plan: LoadPlan): boolean {
  return (
    state?.transferId === plan.transferId &&
    state.mode === plan.mode &&
    state.revisionId === plan.revisionId
  );
}

function isToGoOn(state: LoadState, plan: LoadPlan): boolean {
  const isWanted = isLoadOf(state, plan) || (plan.continues && state.mode === plan.mode);
  return isWanted && state.loadIdentity === plan.loadIdentity;
}

/** An attempt that left no cursor left nothing that counts: the pass is still all in one snapshot. */
function goOn(state: LoadState, plan: LoadPlan): LoadState {
  return {
    ...state,
    transferId: plan.transferId,
    revisionId: plan.revisionId,
    attempts: state.cursor === undefined ? 1 : state.attempts + 1,
    attemptMark: state.attemptMark + 1,
    // Another transfer adds rows of its own first, so it publishes from the start.
    publishedTo: isLoadOf(state, plan) ? state.publishedTo : undefined,
  };
}

function begin(
  draft: Draft,
  stored: StoredLoad,
  { plan, now }: { plan: LoadPlan; now: InstantText },
): LoadState {
  const hiddenTable = plan.mode === 'replace' ? `_waybill_new_${plan.table.name}` : undefined;
  if (hiddenTable !== undefined) {
    draft.tables.set(hiddenTable, {
      columns: plan.table.columns,
      key: [],
      comment: undefined,
      rows: [],
    });
  }
  return {
    transferId: plan.transferId,
    revisionId: plan.revisionId,
    mode: plan.mode,
    loadIdentity: plan.loadIdentity,
    window: plan.window,
    begunAt: now,
    pass: 0,
    attempts: 1,
    fence: plan.fence,
    cursor: undefined,
    greatest: isSameCopy(stored, plan) ? stored.greatest : undefined,
    rows: 0,
    hiddenTable,
    attemptMark: 1,
    publishedTo: undefined,
    lostInStep: undefined,
  };
}

/** What was landed of other rows says nothing about these. */
function isSameCopy(stored: StoredLoad, plan: LoadPlan): boolean {
  return stored.loadIdentity === plan.loadIdentity;
}

/** Where the load stands, in the words of the contract. */
export function progressOf(stored: StoredLoad, state: LoadState, plan: LoadPlan): LoadProgress {
  return {
    pass: state.pass,
    attempts: state.attempts,
    fence: state.fence,
    resumeAfter: state.cursor,
    greatest: state.greatest,
    watermark: isSameCopy(stored, plan) ? stored.watermark : undefined,
    rows: state.rows,
  };
}

function copyGone(): Failure {
  const sentence = 'The copy that was to be brought up to date is not at the destination any more.';
  return new Failure('destination_missing', sentence);
}

export function fenced(): Failure {
  return new Failure('fenced', 'A newer attempt has taken over this load.');
}

export function lostCopy(table: string): Failure {
  const message =
    `The unfinished copy of table ${table} at the destination was changed by somebody else. ` +
    'It is loaded anew by the next transfer.';
  return new Failure('schema_conflict', message);
}
