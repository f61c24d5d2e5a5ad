import type { Blame, ErrorCode, FailureKind } from './failure.ts';
import type { InstantText } from './instant.ts';
import type { LoadMode } from './load.ts';

// What travels through Temporal between workflows and activities: ids, counts and sentences of our own.
// No row value, no key, no cursor, no secret: histories are kept and shown.

export interface TransferRef {
  readonly transferId: string;
}

export interface ModelRef extends TransferRef {
  readonly modelId: string;
}

export interface StepRef extends ModelRef {
  /** Number of the step within the model's run, from 1; part of the epoch. */
  readonly step: number;
}

export interface PlanRef extends ModelRef {
  /** Where its rows are few they may be moved at once. */
  readonly mayMove?: boolean;
}

/** What `chooseTransfers` found: which may start, and whether others still wait for them. */
export interface QueueChoice {
  readonly starts: readonly TransferStart[];
  readonly waiting: number;
}

export interface TransferStart {
  readonly transferId: string;
  readonly recipientId: string;
  readonly trigger: string;
  /** Of the API call that submitted it. */
  readonly requestId?: string;
  /** For the Temporal UI: `orders, invoices to postgres, manual`. Names of models, never of customers. */
  readonly summary: string;
}

/** Undefined instead of this: the transfer is not ours to run (cancelled meanwhile, or run already). */
export interface OpenedTransfer {
  readonly models: readonly { readonly modelId: string; readonly modelName: string }[];
  readonly modelsAtOnce: number;
}

export interface PlannedModel {
  readonly mode: LoadMode;
  /** Its rows were few, and have landed: there is nothing left to do. */
  readonly isDone?: boolean;
  readonly mustEvolve: boolean;
  /** Upper bound of the window as RFC 3339, where it has one. */
  readonly windowEnd: string | undefined;
  /** One line for people: `merge from the watermark`. */
  readonly summary: string;
}

export interface SliceResult {
  /** `slice`: more rows wait. `publish`: all are there, and `finishModel` comes next. */
  readonly next: 'slice' | 'publish' | 'done';
  /** Of this slice, catch-ups not counted. */
  readonly rows: number;
  readonly bytes: number;
  readonly batches: number;
  /** The fence of its pass: a time of the source's clock, under which `finishModel` publishes. */
  readonly fence: InstantText;
}

export interface FinishRef extends StepRef {
  /** Of the last pass. */
  readonly fence: InstantText;
}

/** A failure as it crosses Temporal: our own words only. */
export interface FailureNote {
  readonly kind: FailureKind;
  readonly code: ErrorCode;
  readonly blame: Blame;
  readonly message: string;
  readonly detail: string | undefined;
}

export type ModelOutcome =
  | { readonly status: 'SUCCESS' }
  | { readonly status: 'CANCELLED' }
  | { readonly status: 'ERROR'; readonly failure: FailureNote };

export interface TransferClose extends TransferRef {
  /** By model id. */
  readonly outcomes: Readonly<Record<string, ModelOutcome>>;
}

/** One model of a data integrity job. */
export interface IntegrityModelRef {
  readonly jobId: string;
  readonly modelId: string;
}

export interface IntegrityClose {
  readonly jobId: string;
  /** By model id, of those that failed. */
  readonly failures: Readonly<Record<string, FailureNote>>;
  readonly isCancelled: boolean;
}
