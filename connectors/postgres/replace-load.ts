import { Failure } from '../../domain/failure.ts';
import type { InstantText } from '../../domain/instant.ts';
import type { LoadProgress } from '../../domain/load.ts';
import { must } from '../../lib/must.ts';
import type { Batch, Load, LoadClose, Receipt } from '../connector.ts';
import type { Checkpoint } from './checkpoint.ts';
import { startCatchUp } from './merge-load.ts';
import { publish } from './publish.ts';
import { progressOf, type LoadRow } from './record.ts';
import { numberAttempt, settle, type StagedCopy } from './settle.ts';
import { pins, qualified } from './sql.ts';
import { lostCopy, stagingOf, type Staging } from './staging.ts';
import {
  advance,
  batchAssignments,
  batchValues,
  checkTaken,
  copyStatement,
  messagesOf,
  writerSettings,
} from './writing.ts';

/** A whole copy is built in a hidden table, and published at the end. */
export class ReplaceLoad implements Load, StagedCopy {
  progress: LoadProgress;
  readonly checkpoint: Checkpoint;
  readonly schema: string;
  readonly staging: Staging;
  private readonly stage: readonly string[];
  private row: LoadRow;
  private receipt: Receipt | undefined;
  private hasOwnNumber = false;

  constructor(checkpoint: Checkpoint, schema: string, row: LoadRow) {
    const { plan } = checkpoint;
    this.checkpoint = checkpoint;
    this.schema = schema;
    this.row = row;
    this.staging = must(stagingOf(row), 'the hidden table of a replace');
    this.progress = progressOf(row, plan);
    this.stage = [
      'begin',
      pins,
      ...writerSettings,
      copyStatement(qualified(schema, this.staging.name), plan),
    ];
  }

  async write(batch: Batch, signal: AbortSignal): Promise<{ rowsChanged: number | undefined }> {
    // What is being published is complete up to its fence; rows that come now come with the next transfer.
    if (this.row.load_state !== 'running' || this.receipt !== undefined) return { rowsChanged: 0 };
    const { session, plan } = this.checkpoint;
    using _ = session.stopOn(signal);
    if (!this.hasOwnNumber) await this.takeNumber();
    const context = { table: plan.table.name, columns: plan.wireColumns };
    await session.rollingBack(async () => {
      await this.copy(batch, context);
      await this.checkpoint.setValues(batchValues(batch));
      await session.script(
        [this.checkpoint.changeStatement(batchAssignments(this.progress)), 'commit'],
        context,
      );
    });
    this.progress = advance(this.progress, batch);
    this.row = { ...this.row, staged_rows: this.row.staged_rows + batch.rows };
    return { rowsChanged: batch.rows };
  }

  /**
   * Rows of another attempt get another number, of which the greatest wins. The first to bring rows needs
   * none.
   */
  private async takeNumber(): Promise<void> {
    if (this.row.staged_rows > 0) this.row = await numberAttempt(this, this.row);
    this.hasOwnNumber = true;
  }

  private async copy(
    batch: Batch,
    context: { table: string; columns: readonly string[] },
  ): Promise<void> {
    try {
      const { session, plan } = this.checkpoint;
      const taken = await session.copyIn(this.stage, messagesOf(batch, plan), context);
      checkTaken(taken, batch);
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'destination_missing') throw error;
      // The hidden table has gone, not the customer's: the next attempt finds that out and begins anew.
      const sentence = `The unfinished copy of table ${context.table} has gone from the destination.`;
      throw new Failure('destination_busy', sentence, { detail: error.detail });
    }
  }

  async startCatchUp(fence: InstantText): Promise<void> {
    if (this.row.load_state !== 'running') return;
    this.progress = await startCatchUp(this.checkpoint, this.progress, fence);
  }

  async finish(close: LoadClose, signal: AbortSignal): Promise<Receipt> {
    if (this.receipt !== undefined) return this.receipt;
    using _ = this.checkpoint.session.stopOn(signal);
    this.checkNotLost();
    if (this.row.load_state === 'running') this.row = await settle(this, this.row);
    const rowsPublished = must(this.row.published_rows, 'the number of rows to publish');
    await publish(this, {
      close,
      row: this.row,
      outcome: { progress: this.progress, rowsPublished },
    });
    this.receipt = { watermark: close.watermark, rowsPublished };
    return this.receipt;
  }

  /**
   * Somebody took the hidden table away, and this very step found it out: nothing has been read since, and
   * publishing nothing would empty the live table.
   */
  private checkNotLost(): void {
    const isLost = this.row.staged_again_in_step === this.checkpoint.plan.epoch.step;
    if (!isLost || this.row.staged_rows > 0) return;
    throw lostCopy(this.checkpoint.plan.table.name);
  }
}
