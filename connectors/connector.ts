import type { Socket } from 'node:net';
import type { z } from 'zod';
import type { EvolutionStep, LiveTable } from '../domain/evolution.ts';
import type { Epoch } from '../domain/epoch.ts';
import type { InstantText } from '../domain/instant.ts';
import type { ComparedRow, RangeDigest, RowMark } from '../domain/integrity.ts';
import type {
  Cursor,
  Encoding,
  Fence,
  LandedTable,
  LoadPlan,
  LoadProgress,
  LoadRecord,
  Window,
} from '../domain/load.ts';
import type { Relation, SharedColumn, SharedTable } from '../domain/model.ts';
import type { Finding } from '../domain/probe.ts';
import type { DescribedColumn, Sample } from '../domain/source-rules.ts';

/**
 * The contract between Waybill and one outside system. A connector knows its system and nothing of our
 * database or of Temporal. Everything it throws is a `Failure` whose texts hold no row value and no
 * secret. Every verb may be repeated.
 */

export type { Finding, Sample };

/** A column as the source has it. */
export type SourceColumn = DescribedColumn;

/** Whose rows: every read carries it, and a connector hands the id to its server as a parameter. */
export interface Tenant {
  readonly column: string;
  readonly id: string;
}

export interface ReadRequest {
  readonly relation: Relation;
  /** In wire order: last-modified, then the key, then the others. */
  readonly columns: readonly SharedColumn[];
  readonly key: readonly SharedColumn[];
  readonly lastModified: SharedColumn;
  readonly tenant: Tenant;
  readonly window: Window;
  /** Exclusive, and inside the window. */
  readonly resumeAfter: Cursor | undefined;
  /** Rows above it count as new (`Batch.deltaRows`); undefined: all are. */
  readonly deltaAfter: InstantText | undefined;
  readonly encoding: Encoding;
  /** A batch holds no more than either, but never less than one row. */
  readonly batchBytesMax: number;
  readonly batchRowsMax: number;
  /** A standby that has replayed less than this must not be read (`Fence.position`). */
  readonly position: string | undefined;
  /** A longer row ends the read with `limit_reached` before it is kept; left out: as the connector has it. */
  readonly rowBytesMax?: number | undefined;
}

/** Consecutive rows of one read, as bytes of the encoding asked for, complete in itself. */
export interface Batch {
  readonly chunks: readonly Buffer[];
  readonly bytes: number;
  readonly rows: number;
  /** Rows above `ReadRequest.deltaAfter`. */
  readonly deltaRows: number;
  /** The place of the last row. */
  readonly cursor: Cursor;
}

/** Which rows are looked for, and how many are enough to know of. */
export interface UnstampedRows extends Pick<ReadRequest, 'relation' | 'tenant' | 'lastModified'> {
  readonly max: number;
}

/** How a read would be run, as it may be shown: no value of the tenant stands in it. */
export interface ShownRead {
  readonly sql: string;
  readonly plan: string | undefined;
}

/** Rows to look at: of one tenant where it is told, else of any; of a window of last-modified values. */
export interface SampleAsk {
  readonly table: SharedTable;
  readonly tenantId: string | undefined;
  readonly window: Window;
}

/**
 * The rows of one model as one end has them, to be held against the other end's. Values count as the text in
 * which they travel, so that the same value has the same hash at both ends. A row without a last-modified
 * value is not among them. Aborting the signal stops the statement on the server.
 */
export interface ComparedRows {
  /**
   * One digest for each window, from one scan.
   * @param windows in order, none overlaps another
   */
  digest(windows: readonly Window[], signal: AbortSignal): Promise<RangeDigest[]>;
  /** The rows of the windows, or one in `share` of them: the same ones at both ends. In no order. */
  list(request: ListRequest, signal: AbortSignal): Promise<RowMark[]>;
  /** The rows of these keys that are there, in no order. */
  find(keys: readonly (readonly string[])[], signal: AbortSignal): Promise<ComparedRow[]>;
}

export interface ListRequest {
  readonly windows: readonly Window[];
  readonly share: number;
}

/** Rows that are to go, with the state in which they were found to be wrong. */
export interface Removal {
  readonly modelId: string;
  readonly owner: string;
  /** Of the last load that was known when the rows were compared. */
  readonly epoch: Epoch;
  readonly table: SharedTable;
  readonly rows: readonly RowMark[];
}

/** The vendor's database, read only. One instance is one login, used by one activity. */
export interface Source extends AsyncDisposable {
  /** Can we log in and read? Never throws for what it was asked to find out. */
  check(): Promise<Finding[]>;
  /** Columns of a table or query. @throws Failure `source_mismatch` (code MISS) where it does not exist. */
  describe(relation: Relation): Promise<SourceColumn[]>;
  /** Encodings in which this model could be read, the fastest first. @throws Failure `source_mismatch`. */
  encodings(table: SharedTable): Promise<Encoding[]>;
  /** What would make this model quicker to read; empty where nothing would. Never refuses. */
  advise(table: SharedTable): Promise<Finding[]>;
  /** The statement of a read and, where asked, the server's plan for it. Reads no row. */
  explain(request: ReadRequest, options: { withPlan: boolean }): Promise<ShownRead>;
  /** The tenant's rows without a last-modified value, which no window has. Stops counting at `max`. */
  countUnstamped(rows: UnstampedRows, signal: AbortSignal): Promise<number>;
  /**
   * How some rows look, `sampleRowsMax` at most: columns and counts, never a value.
   * @throws Failure `source_busy` where they do not come within 15 s
   */
  sample(ask: SampleAsk): Promise<Sample>;
  /**
   * A source time below which nothing can still be committed. To be taken before the read.
   * @param previous the fence of the last finished load, which is held while the source cannot tell more
   */
  fence(table: SharedTable, previous: InstantText | undefined): Promise<Fence>;
  /**
   * The window's rows after the cursor in cursor order, from one snapshot. Leaving the loop early or
   * aborting the signal stops the statement on the server.
   */
  read(request: ReadRequest, signal: AbortSignal): AsyncIterable<Batch>;
  /**
   * The tenant's rows of the model; left out where the source cannot hash rows by itself. @throws Failure
   * `source_mismatch` as a read does.
   */
  compare?(table: SharedTable, tenant: Tenant): Promise<ComparedRows>;
}

/** What a destination says once the last batch is visible. */
export interface Receipt {
  readonly watermark: InstantText | undefined;
  /** Rows in the published copy, where this load published one. */
  readonly rowsPublished: number | undefined;
}

/** What is known only at the end of a load. */
export interface LoadClose {
  readonly watermark: InstantText | undefined;
  readonly fence: InstantText;
  /** Whether `_transfer_status` calls it a full refresh. */
  readonly isFullRefresh: boolean;
  /** Rows this transfer moved, for `_transfer_status`. */
  readonly rowsTransferred: number;
}

/** An opened load: the right to write under one epoch. */
export interface Load {
  /** As of now: what has been written since is in it. */
  readonly progress: LoadProgress;
  /**
   * Durable together with its cursor when it resolves. @returns rows that were new or different, where
   * known. @throws Failure `fenced` under an old epoch, with nothing of the batch kept.
   */
  write(batch: Batch, signal: AbortSignal): Promise<{ rowsChanged: number | undefined }>;
  /** Ends this pass and makes the next attempt a catch-up. @throws Failure `fenced`. */
  startCatchUp(fence: InstantText): Promise<void>;
  /**
   * Makes the load visible where it was staged, and records watermark and change marker with it.
   * Resumable: a killed publish goes on at its own checkpoint. Called again after success: changes nothing.
   * @throws Failure `fenced`; `source_mismatch` where a key stands twice in one snapshot.
   */
  finish(close: LoadClose, signal: AbortSignal): Promise<Receipt>;
}

/** A change to one table, and what to record as applied once all its steps have succeeded. */
export interface SchemaChange {
  readonly modelId: string;
  readonly table: LandedTable;
  readonly steps: readonly EvolutionStep[];
}

/** One customer's database. One instance is one login, used by one activity. */
export interface Destination extends AsyncDisposable {
  /** Can we log in, create, write and read? Leaves nothing behind. Never throws for what it was asked. */
  check(): Promise<Finding[]>;
  /** The live table, or undefined where there is none. */
  describe(table: string): Promise<LiveTable | undefined>;
  /** What was landed of a model, and by whom; undefined where nothing ever was. */
  recall(modelId: string): Promise<LoadRecord | undefined>;
  /** The first of the wanted encodings that this table can take from such columns. */
  accepts(table: LandedTable, offered: readonly Encoding[]): Encoding;
  /** Applies additive steps one by one, safe against another process doing the same. */
  apply(change: SchemaChange): Promise<void>;
  /**
   * Shows its epoch and begins the load or goes on with it. A load of the same transfer that has finished is
   * known as such: its `finish` answers the same receipt and changes nothing.
   * @throws Failure `destination_missing` for a merge into a copy that is not there any more, as after a
   * destination was put back to before its first load; the next plan begins a new one.
   * @throws Failure `fenced` where a higher epoch was seen.
   */
  open(plan: LoadPlan, signal: AbortSignal): Promise<Load>;
  /** What has landed of the model, whosever it is; left out where rows cannot be hashed or removed there. */
  compare?(table: SharedTable): Promise<ComparedRows>;
  /**
   * Removes rows that are as they were found. @returns how many there were. @throws Failure
   * `destination_busy` where a load of the model has begun since or is under way, with nothing removed.
   */
  remove?(removal: Removal, signal: AbortSignal): Promise<number>;
}

/** An SSH server to go through. The host behind it is then looked up by that server. */
export interface Tunnel {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  /** PEM. */
  readonly privateKey: string;
  /** What its owner has to add to the authorized keys. */
  readonly publicKey: string;
}

export interface ReachTarget {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly tunnel?: Tunnel | undefined;
}

/** What a connector gets to reach the outside: the one guarded way out. */
export interface Reach {
  /**
   * A connected socket to a checked address. @throws GuardError and TunnelError, whose sentences may be
   * shown; the connector makes a Failure of its side out of them.
   */
  readonly socket: (target: ReachTarget) => Promise<Socket>;
}

export interface SourceRole {
  readonly lookbackSeconds: number;
  open(settings: unknown, reach: Reach): Promise<Source>;
}

export interface DestinationRole {
  open(settings: unknown, reach: Reach): Promise<Destination>;
}

/** The parts of a connector that need its driver; loaded on first use. */
export interface ConnectorRoles {
  readonly source?: SourceRole;
  readonly destination?: DestinationRole;
}

/**
 * A connector as data: what the API needs for forms, validation and redaction, without its driver.
 * Settings are zod objects whose fields say by `meta`: `title`, `help`, `placeholder`; `secret` is sealed and
 * never echoed; the `place` fields together say where the data lives; `options` names the values of a list,
 * `keyFormat` a key pair of ours, `json` an object that may come as text, `internal` what no
 * form shows, `needed` what a form asks for wherever it shows it, although the block may lack it.
 */
export interface ConnectorDeclaration {
  /** `vendor` on the wire. */
  readonly kind: string;
  readonly title: string;
  readonly source: z.ZodObject | undefined;
  readonly destination: z.ZodObject | undefined;
  /** Declared for forms and documents only: the connector is not built, and has no roles. */
  readonly isPlanned?: true;
  readonly load: () => Promise<ConnectorRoles>;
}

/** By kind. The one list is `connectors/registry.ts`; tests add the memory connector. */
export type ConnectorRegistry = ReadonlyMap<string, ConnectorDeclaration>;
