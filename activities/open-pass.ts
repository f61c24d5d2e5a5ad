import type { Load, ReadRequest, Source } from '../connectors/connector.ts';
import type { ModelRun } from '../db/model-runs.ts';
import { compareInstants, type InstantText } from '../domain/instant.ts';
import type { Fence, Window } from '../domain/load.ts';
import type { SharedTable } from '../domain/model.ts';
import { catchUpWindow, isLastSlice, mainWindow } from '../domain/plan.ts';
import { tableForRead } from '../domain/source-query.ts';
import { partOf } from '../domain/split-window.ts';
import { must } from '../lib/must.ts';
import type { StepDeps } from './deps.ts';
import { planOf } from './load-plan.ts';

/** What one reading of a window goes by. */
export interface Pass {
  readonly window: Window;
  /** What one statement reads of it: most models' windows are read as a whole. */
  readonly part: Window;
  readonly fence: Fence;
  readonly isLast: boolean;
}

/** A load that has been opened, with all that is read for it. */
export interface Opened {
  readonly run: ModelRun;
  readonly table: SharedTable;
  readonly load: Load;
}

/**
 * A catch-up takes a fence of its own before it reads, and is never read in parts. The main pass has the one
 * it began with, which is older than the plan's where the load of an earlier transfer goes on: its rows were
 * read before this plan.
 * @param place where the part begins that is wanted, if not where the load goes on
 */
export async function openPass(
  source: Source,
  { run, table, load }: Opened,
  place?: InstantText,
): Promise<Pass> {
  const { progress } = load;
  const { fence, decision, lookbackSeconds, windowSeconds: seconds } = planOf(run);
  const isLast = isLastSlice(progress, fence);
  if (progress.pass === 0) {
    const window = mainWindow({ decision, progress, lookbackSeconds });
    const from = place ?? progress.resumeAfter?.lastModified;
    const part = seconds === undefined ? window : partOf(window, { seconds, now: fence.now }, from);
    return { window, part, fence: { ...fence, at: progress.fence }, isLast };
  }
  const window = must(
    catchUpWindow({ progress, window: decision.window, lookbackSeconds }),
    'window of a catch-up',
  );
  const read = tableForRead(table, { tenantId: run.tenantId, window, watermark: undefined });
  return { window, part: window, fence: await source.fence(read, progress.fence), isLast };
}

export function isLastPart({ window, part }: Pass): boolean {
  return part.upTo === window.upTo;
}

/**
 * The last-modified value of the first row behind the part; undefined where there is none. A query is not
 * asked: without an end to its window it could be too much for its source.
 */
export async function findRest(
  source: Source,
  { request, pass, signal }: { request: ReadRequest; pass: Pass; signal: AbortSignal },
): Promise<InstantText | undefined> {
  const { window, part } = pass;
  if (request.relation.query !== undefined) return part.upTo;
  const rest = { after: part.upTo, upTo: window.upTo };
  const first = { ...request, window: rest, resumeAfter: undefined, batchRowsMax: 1 };
  for await (const { cursor } of source.read(first, signal)) return cursor.lastModified;
  return undefined;
}

export function readRequest(
  { limits }: StepDeps,
  { run, table, load }: Opened,
  pass: Pass,
): ReadRequest {
  const { part: window } = pass;
  const watermark = knownBelow(run, load.progress);
  const { relation } = tableForRead(table, { tenantId: run.tenantId, window, watermark });
  const { columns, key, lastModified, tenantColumn } = table;
  const { batchBytesMax, batchRowsMax } = limits;
  const { encoding, decision } = planOf(run);
  return {
    ...{ relation, columns, key, lastModified, encoding, batchBytesMax, batchRowsMax },
    tenant: { column: tenantColumn, id: run.tenantId },
    window,
    resumeAfter: cursorWithin(window, load.progress),
    deltaAfter: decision.watermark,
    position: pass.fence.position,
  };
}

/** What an increment has read before, its query need not yield; a catch-up reads it again on purpose. */
function knownBelow(run: ModelRun, { pass, watermark }: Load['progress']) {
  const { mode, isExplicit } = planOf(run).decision;
  return mode === 'merge' && !isExplicit && pass === 0 ? watermark : undefined;
}

/** The parts before this one are read: it begins behind their last row. */
function cursorWithin({ after }: Window, { resumeAfter }: Load['progress']) {
  const isBefore =
    resumeAfter !== undefined &&
    after !== undefined &&
    compareInstants(resumeAfter.lastModified, after) < 0;
  return isBefore ? undefined : resumeAfter;
}
