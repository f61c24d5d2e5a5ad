import type { InstantText } from '../../domain/instant.ts';
import type { LoadProgress } from '../../domain/load.ts';
import { watermarkAfterBatch } from '../../domain/plan.ts';
import type { Batch, Load, LoadClose, Receipt } from '../connector.ts';
import type { Checkpoint } from './checkpoint.ts';
import { progressOf, type LoadRow } from './record.ts';
import { pins, qualified, setting } from './sql.ts';
import {
  advance,
  batchAssignments,
  batchValues,
  checkTaken,
  columnDefinitions,
  copyStatement,
  lookupSettings,
  messagesOf,
  upsertStatement,
  wireColumnsOf,
  writerSettings,
} from './writing.ts';

const staging = 'pg_temp._waybill_batch';

/** What `watermarkAfterBatch` says, in the transaction of the batch. */
const watermarkMove = `watermark = greatest(watermark, least(load_fence, ${setting('cursor')}::timestamptz))`;

/** Each batch is staged, compared and upserted in a transaction of its own. */
export class MergeLoad implements Load {
  progress: LoadProgress;
  private readonly checkpoint: Checkpoint;
  private readonly stage: readonly string[];
  private readonly upsert: { readonly ofKnown: string; readonly ofNew: string };
  private readonly movesWatermark: boolean;

  constructor(checkpoint: Checkpoint, schema: string, row: LoadRow) {
    const { plan } = checkpoint;
    const columns = wireColumnsOf(plan);
    const definitions = columnDefinitions(columns, plan.table.key);
    this.checkpoint = checkpoint;
    this.progress = progressOf(row, plan);
    // The watermark in the row may be that of another copy, which this load only replaces when it finishes.
    this.movesWatermark = plan.movesWatermark && row.load_identity === plan.loadIdentity;
    this.stage = [
      'begin',
      pins,
      ...writerSettings,
      /*sql*/ `create temp table _waybill_batch (${definitions}) on commit drop`,
      copyStatement(staging, plan),
    ];
    const table = { ...plan.table, columns };
    const upsert = { from: staging, into: qualified(schema, plan.table.name), table };
    this.upsert = {
      ofKnown: upsertStatement(upsert),
      ofNew: upsertStatement({ ...upsert, expectsChanges: true }),
    };
  }

  async write(batch: Batch, signal: AbortSignal): Promise<{ rowsChanged: number | undefined }> {
    const { session, plan } = this.checkpoint;
    using _ = session.stopOn(signal);
    const context = { table: plan.table.name, columns: plan.wireColumns };
    const rowsChanged = await session.rollingBack(async () => {
      // The rows come before the lock on the checkpoint: a writer that freezes meanwhile blocks nobody.
      const taken = await session.copyIn(this.stage, messagesOf(batch, plan), context);
      checkTaken(taken, batch);
      await this.checkpoint.setValues(batchValues(batch));
      const check = this.checkpoint.changeStatement([
        ...batchAssignments(this.progress),
        ...(this.movesWatermark ? [watermarkMove] : []),
      ]);
      const upsert = batch.deltaRows * 2 > batch.rows ? this.upsert.ofNew : this.upsert.ofKnown;
      const results = await session.script([check, ...lookupSettings, upsert, 'commit'], context);
      return results.find(({ command }) => command === 'INSERT')?.rowCount ?? 0;
    });
    const watermark = this.movesWatermark
      ? watermarkAfterBatch(this.progress, batch.cursor)
      : this.progress.watermark;
    this.progress = { ...advance(this.progress, batch), watermark };
    return { rowsChanged };
  }

  async startCatchUp(fence: InstantText): Promise<void> {
    this.progress = await startCatchUp(this.checkpoint, this.progress, fence);
  }

  async finish(close: LoadClose, signal: AbortSignal): Promise<Receipt> {
    const { session } = this.checkpoint;
    using _ = session.stopOn(signal);
    await session.transaction(() => this.checkpoint.finish(close, { progress: this.progress }));
    return { watermark: close.watermark, rowsPublished: undefined };
  }
}

/**
 * Ends a pass: the next attempt reads its window from the start. Asked again before that, it is the same
 * pass.
 */
export async function startCatchUp(
  checkpoint: Checkpoint,
  progress: LoadProgress,
  fence: InstantText,
): Promise<LoadProgress> {
  const change = {
    assignments: [
      'load_pass = case when load_attempts = 0 then load_pass else load_pass + 1 end',
      'load_attempts = 0, load_fence = $5::timestamptz',
      'load_cursor = null, load_cursor_key = null',
    ],
    values: [fence],
  };
  const row = await checkpoint.session.transaction(() => checkpoint.change(change));
  return { ...progress, pass: row.load_pass, attempts: 0, fence, resumeAfter: undefined };
}

/**
 * What this very transfer has finished before: its rows come again with the next transfer, so they are let
 * go.
 */
export class FinishedLoad implements Load {
  readonly progress: LoadProgress;
  private readonly receipt: Receipt;

  constructor(progress: LoadProgress, receipt: Receipt) {
    this.progress = progress;
    this.receipt = receipt;
  }

  async write(): Promise<{ rowsChanged: number | undefined }> {
    return { rowsChanged: 0 };
  }

  async startCatchUp(): Promise<void> {
    // Nothing is left to catch up with.
  }

  async finish(): Promise<Receipt> {
    return this.receipt;
  }
}
