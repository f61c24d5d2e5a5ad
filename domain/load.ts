import type { Epoch } from './epoch.ts';
import type { InstantText } from './instant.ts';
import type { LogicalType } from './data-type.ts';

/**
 * The place of a row in the order of reading, as exact text. To resume after it leaves the row itself
 * out.
 */
export interface Cursor {
  readonly lastModified: InstantText;
  /** The key columns in the model's order. */
  readonly key: readonly string[];
}

/** A half-open range of last-modified values: `after` is inside, `upTo` is not; undefined is no bound. */
export interface Window {
  readonly after: InstantText | undefined;
  readonly upTo: InstantText | undefined;
}

export type Guarantee = 'commit_safe' | 'lookback';

/** A source time below which nothing can still be committed, and how sure that is. */
export interface Fence {
  readonly at: InstantText;
  /** The source's clock when the fence was taken. */
  readonly now: InstantText;
  readonly guarantee: Guarantee;
  /** Why it is no more than the lookback. */
  readonly reason: string | undefined;
  /** The one statement that would make it commit safe, where there is one. */
  readonly grant: string | undefined;
  /** Who holds the fence back, where somebody does. */
  readonly holder:
    | { readonly pid: number; readonly state: string; readonly ageSeconds: number }
    | undefined;
  /** On a standby: how far it had replayed. A read that finds less must not be believed. */
  readonly position: string | undefined;
}

/** `merge` upserts batch by batch; `replace` builds a whole copy beside the live table and publishes it. */
export const loadModes = ['merge', 'replace'] as const;
export type LoadMode = (typeof loadModes)[number];

/**
 * How rows look on the wire between the two ends. Every connector speaks `copy_text`: the text of COPY over
 * canonical values. The others are the messages of Postgres' own protocol with one row in each, which go from
 * server to server as they are: `copy_text_messages` holds the same text, `copy_binary_messages` the binary
 * form of the one Postgres type that each logical type lands as (`string` is text, `timestamp` is
 * timestamptz, …), so it needs a source that can cast to it exactly.
 */
export const encodings = ['copy_text', 'copy_text_messages', 'copy_binary_messages'] as const;
export type Encoding = (typeof encodings)[number];

export interface LandedColumn {
  readonly name: string;
  readonly type: LogicalType;
  readonly description: string | undefined;
}

/** The table a model wants at a destination. */
export interface LandedTable {
  readonly name: string;
  readonly description: string | undefined;
  /** Key columns first, the others in model order: the order of creation. */
  readonly columns: readonly LandedColumn[];
  /** Names of the key columns. */
  readonly key: readonly string[];
  /** Whether columns of the live table may be given a wider type. */
  readonly allowWidening?: boolean;
}

/** A load that has been opened and not yet finished, as the destination remembers it. */
export interface UnfinishedLoad {
  readonly transferId: string;
  readonly revisionId: string;
  readonly mode: LoadMode;
  readonly loadIdentity: string;
  readonly window: Window;
  /** When it was begun, by the destination's clock. */
  readonly begunAt: InstantText;
}

/** What a destination remembers of one model: the truth about what has landed. */
export interface LoadRecord {
  /** `<environment>/<destination id>` of whoever made the table. */
  readonly owner: string;
  /** What the landed rows are a copy of. Undefined while no load has ever finished. */
  readonly loadIdentity: string | undefined;
  readonly table: string;
  readonly epoch: Epoch;
  readonly watermark: InstantText | undefined;
  /** The greatest last-modified value ever landed. */
  readonly greatest: InstantText | undefined;
  /** The fence of the last finished load. */
  readonly fence: InstantText | undefined;
  /** The table as it was last evolved by us. */
  readonly appliedTable: LandedTable | undefined;
  readonly unfinished: UnfinishedLoad | undefined;
}

/** All that a destination must know to take rows of one model; the same for every attempt but for `epoch`. */
export interface LoadPlan {
  readonly owner: string;
  readonly modelId: string;
  readonly modelName: string;
  readonly revisionId: string;
  readonly transferId: string;
  readonly table: LandedTable;
  /** Names of the columns in wire order: last-modified, key, others. */
  readonly wireColumns: readonly string[];
  readonly lastModified: string;
  readonly loadIdentity: string;
  readonly mode: LoadMode;
  readonly window: Window;
  /** The fence of the plan, kept with the load when it is begun. */
  readonly fence: InstantText;
  /** Go on with the unfinished load of an earlier transfer instead of beginning anew. */
  readonly continues: boolean;
  /** An increment: each batch moves the watermark, so that the next one goes on where this one failed. */
  readonly movesWatermark: boolean;
  /**
   * All its rows have been written: where the destination does not know the load any more, as after it was
   * put back to an older copy, it is not begun anew, to publish nothing.
   */
  readonly isWhole: boolean;
  readonly encoding: Encoding;
  readonly epoch: Epoch;
}

/** Where an opened load stands. A *pass* is one reading of a window: the main one, then the catch-ups. */
export interface LoadProgress {
  /** 0 for the main pass, then 1, 2, … for the catch-ups. */
  readonly pass: number;
  /**
   * Attempts whose rows count in this pass, this one included: more than one means more than one
   * snapshot.
   */
  readonly attempts: number;
  /**
   * The fence that stands before this pass: the plan's for the main one, that of the pass before for a
   * catch-up.
   */
  readonly fence: InstantText;
  readonly resumeAfter: Cursor | undefined;
  /** The greatest last-modified value ever landed, this load included. */
  readonly greatest: InstantText | undefined;
  /** As it stands: an increment has moved it. Undefined where the load begins another copy. */
  readonly watermark: InstantText | undefined;
  /** Rows committed by this load, catch-ups not counted. */
  readonly rows: number;
}
