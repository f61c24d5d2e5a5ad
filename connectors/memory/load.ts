import { appliedAfter } from '../../domain/evolution.ts';
import { setImmediate } from 'node:timers/promises';
import { compareEpochs } from '../../domain/epoch.ts';
import { Failure } from '../../domain/failure.ts';
import { later, type InstantText } from '../../domain/instant.ts';
import type { LoadPlan, LoadProgress } from '../../domain/load.ts';
import { watermarkAfterBatch } from '../../domain/plan.ts';
import { parseCopyTextRows } from '../../formats/copy-text.ts';
import { must } from '../../lib/must.ts';
import type { Batch, Load, LoadClose, Receipt } from '../connector.ts';
import {
  fenced,
  isLoadOf,
  lostCopy,
  progressOf,
  type LoadState,
  type StoredLoad,
} from './load-state.ts';
import { attemptColumn, keepLastAttempt, mergeRows, publishRange } from './rows.ts';
import { recordStatus } from './status-table.ts';
import { changeRows, tableOf, type Draft, type MemoryStore, type Row } from './store.ts';

/** The right to write under one epoch: each change checks it in the transaction that it makes. */
export class MemoryLoad implements Load {
  private readonly store: MemoryStore;
  private readonly plan: LoadPlan;
  private readonly pass: number;

  constructor(store: MemoryStore, plan: LoadPlan) {
    this.store = store;
    this.plan = plan;
    this.pass = this.progress.pass;
  }

  get progress(): LoadProgress {
    const stored = this.store.snapshot().loads.get(this.plan.modelId);
    // Gone where the store was put back to before this load was opened.
    if (stored === undefined) throw fenced();
    const { unfinished, finished } = stored;
    // A load that has finished never asks for a catch-up of its repeat.
    const state = unfinished ?? { ...must(finished, 'finished load').state, attempts: 1 };
    return progressOf(stored, state, this.plan);
  }

  async write(batch: Batch, signal: AbortSignal): Promise<{ rowsChanged: number | undefined }> {
    checkGoing(signal);
    const rows = this.parse(batch);
    return this.change(
      (draft, stored, state) => {
        const rowsChanged = state.hiddenTable === undefined ? this.merge(draft, rows) : undefined;
        if (state.hiddenTable !== undefined) stage(draft, { ...state, rows });
        const watermark = this.watermarkAfter(stored, state, batch);
        this.save(draft, { ...stored, watermark, unfinished: afterBatch(state, batch) });
        return { rowsChanged };
      },
      { rowsChanged: 0 },
    );
  }

  /** The watermark of another copy stays as it is until this load has replaced it. */
  private watermarkAfter(stored: StoredLoad, { fence }: LoadState, { cursor }: Batch) {
    const { watermark } = stored;
    const isMoved = this.plan.movesWatermark && stored.loadIdentity === this.plan.loadIdentity;
    return isMoved ? watermarkAfterBatch({ fence, watermark }, cursor) : watermark;
  }

  private parse(batch: Batch): Row[] {
    const { wireColumns } = this.plan;
    const rows = parseCopyTextRows(Buffer.concat(batch.chunks));
    return rows.map((values) =>
      Object.fromEntries(wireColumns.map((column, index) => [column, values[index] ?? null])),
    );
  }

  private merge(draft: Draft, rows: readonly Row[]): number {
    const { name } = this.plan.table;
    if (!draft.tables.has(name)) {
      throw new Failure('destination_missing', `Table ${name} is gone from the destination.`);
    }
    let rowsChanged = 0;
    changeRows(draft, name, (live) => {
      const merged = mergeRows(live, rows, this.plan.table.key);
      rowsChanged = merged.rowsChanged;
      return merged.rows;
    });
    return rowsChanged;
  }

  async startCatchUp(fence: InstantText): Promise<void> {
    this.change((draft, stored, state) => {
      // Once for this pass: a repeat finds the next one announced.
      if (state.pass > this.pass) return;
      const next = { ...state, pass: this.pass + 1, attempts: 0, cursor: undefined, fence };
      this.save(draft, { ...stored, unfinished: next });
    }, undefined);
  }

  async finish(close: LoadClose, signal: AbortSignal): Promise<Receipt> {
    checkGoing(signal);
    if (this.plan.mode === 'replace') await this.publish(close, signal);
    else
      this.change(
        (draft, stored, state) => this.conclude(draft, { stored, state, close }),
        undefined,
      );
    return must(this.store.snapshot().loads.get(this.plan.modelId)?.finished, 'finished load')
      .receipt;
  }

  /** In steps, each of them a transaction of its own that may be the last before a kill. */
  private async publish(close: LoadClose, signal: AbortSignal): Promise<void> {
    this.settle();
    let isDone = false;
    while (!isDone) {
      checkGoing(signal);
      isDone = this.change(
        (draft, stored, state) => this.publishStep(draft, { stored, state, close }),
        true,
      );
      await setImmediate();
    }
  }

  /** Leaves the last row of each key in the hidden table. A copy that is refused is of no use to anybody. */
  private settle(): void {
    const refused = this.change((draft, _, state) => {
      const { key, name } = this.plan.table;
      // Nothing has been read since it was lost: to publish nothing would empty the live table.
      if (state.lostInStep === this.plan.epoch.step && state.rows === 0) throw lostCopy(name);
      const hidden = must(state.hiddenTable, 'hidden table');
      try {
        changeRows(draft, hidden, (rows) => keepLastAttempt(rows, key));
        return undefined;
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        draft.tables.delete(hidden);
        return error;
      }
    }, undefined);
    if (refused !== undefined) throw refused;
  }

  /**
   * The next range of keys, or the whole table where there is none to spare. @returns whether it was
   * the last.
   */
  private publishStep(draft: Draft, end: LoadEnd): boolean {
    const { stored, state } = end;
    const { table } = this.plan;
    const hiddenName = must(state.hiddenTable, 'hidden table');
    const hidden = tableOf(draft, hiddenName).rows.map(withoutMark);
    const live = draft.tables.get(table.name);
    let publishedTo: string | undefined;
    if (live === undefined) {
      const { columns, key, description: comment } = table;
      draft.tables.set(table.name, { columns, key, comment, rows: hidden });
    } else {
      const range = publishRange({
        live: live.rows,
        hidden,
        key: table.key,
        after: state.publishedTo,
      });
      draft.tables.set(table.name, { ...live, rows: range.rows });
      publishedTo = range.publishedTo;
    }
    if (publishedTo !== undefined) {
      this.save(draft, { ...stored, unfinished: { ...state, publishedTo } });
      return false;
    }
    draft.tables.delete(hiddenName);
    this.conclude(draft, end);
    return true;
  }

  /** Marker and watermark, in the transaction that makes the last rows visible. */
  private conclude(draft: Draft, { stored, state, close }: LoadEnd): void {
    const { owner, loadIdentity, table, mode } = this.plan;
    const rowsPublished = mode === 'replace' ? tableOf(draft, table.name).rows.length : undefined;
    this.save(draft, {
      ...stored,
      owner,
      loadIdentity,
      table: table.name,
      watermark: close.watermark,
      greatest: state.greatest,
      fence: close.fence,
      appliedTable: appliedAfter(stored.appliedTable, table),
      unfinished: undefined,
      finished: { state, receipt: { watermark: close.watermark, rowsPublished } },
    });
    recordStatus(draft, { plan: this.plan, close, greatest: state.greatest, now: this.store.now });
  }

  /** One transaction under this load's epoch. Where the load has finished, nothing is left to change. */
  private change<T>(
    apply: (draft: Draft, stored: StoredLoad, state: LoadState) => T,
    whenFinished: T,
  ): T {
    return this.store.transact((draft) => {
      const stored = draft.loads.get(this.plan.modelId);
      if (stored === undefined || compareEpochs(stored.epoch, this.plan.epoch) !== 0)
        throw fenced();
      if (stored.unfinished !== undefined) return apply(draft, stored, stored.unfinished);
      if (!isLoadOf(stored.finished?.state, this.plan)) throw fenced();
      return whenFinished;
    });
  }

  private save(draft: Draft, stored: StoredLoad): void {
    draft.loads.set(this.plan.modelId, stored);
  }
}

interface LoadEnd {
  readonly stored: StoredLoad;
  readonly state: LoadState;
  readonly close: LoadClose;
}

function checkGoing(signal: AbortSignal): void {
  if (signal.aborted) throw new Failure('cancelled', 'The transfer was cancelled.');
}

/** Rows of a replace pile up unseen, each marked with the attempt that read it. */
function stage(
  draft: Draft,
  state: Pick<LoadState, 'hiddenTable' | 'attemptMark'> & { readonly rows: readonly Row[] },
): void {
  const mark = { [attemptColumn]: String(state.attemptMark) };
  const marked = state.rows.map((row) => ({ ...row, ...mark }));
  changeRows(draft, must(state.hiddenTable, 'hidden table'), (rows) => [...rows, ...marked]);
}

function withoutMark(row: Row): Row {
  return Object.fromEntries(Object.entries(row).filter(([column]) => column !== attemptColumn));
}

/** A catch-up keeps no cursor, so that it is always read whole, from one snapshot; its rows came before. */
function afterBatch(state: LoadState, batch: Batch): LoadState {
  const greatest = later(batch.cursor.lastModified, state.greatest);
  if (state.pass > 0) return { ...state, greatest };
  return { ...state, greatest, cursor: batch.cursor, rows: state.rows + batch.rows };
}
