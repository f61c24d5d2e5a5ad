import { compareInstants, instantFromMicros, instantMicros, later, earlier } from './instant.ts';
import type { InstantText } from './instant.ts';
import type { Window } from './load.ts';

/** What one end says of its rows whose last-modified value is in a window. */
export interface RangeDigest {
  readonly rows: number;
  /** The sum of the hashes of all rows: in which order they are read does not change it. */
  readonly hash: string;
  /** Of the finite last-modified values. */
  readonly least: InstantText | undefined;
  readonly greatest: InstantText | undefined;
}

/** A window at which both ends have looked. */
export interface Partition {
  readonly window: Window;
  readonly source: RangeDigest;
  readonly destination: RangeDigest;
}

/** How far a comparison of one model has come; it can be stopped and gone on with between two levels. */
export interface Comparison {
  /** Differ, and are still too large to be compared row by row. */
  readonly open: readonly Partition[];
  /** Differ, and are compared row by row in the end. */
  readonly leaves: readonly Partition[];
  /** How often both ends have been asked. */
  readonly level: number;
}

/** Partitions of so few rows are compared row by row. */
export const leafRowsMax = 2000;
/** So many windows are asked for at once. */
const windowsMax = 1024;
/** With more partitions than this still open, halving them further costs more than it saves. */
const openMax = windowsMax / 4;

/** What to ask both ends next; empty once everything that differs is small. */
export function nextWindows({ open }: Comparison): Window[] {
  const parts = Math.max(2, Math.floor(windowsMax / Math.max(1, open.length)));
  return open.flatMap((partition) => cut(partition, parts));
}

/** Drops what is equal at both ends, and sorts the rest by size. */
export function narrow(before: Comparison, asked: readonly Partition[]): Comparison {
  const differing = asked.filter(({ source, destination }) => !isSame(source, destination));
  const large = differing.filter((partition) => !isLeaf(partition));
  const open = large.length > openMax ? [] : large;
  const small = differing.filter((partition) => !open.includes(partition));
  return { open, leaves: [...before.leaves, ...small], level: before.level + 1 };
}

function isSame(a: RangeDigest, b: RangeDigest): boolean {
  return a.rows === b.rows && a.hash === b.hash;
}

function isLeaf({ window, source, destination }: Partition): boolean {
  if (Math.max(source.rows, destination.rows) <= leafRowsMax) return true;
  const { least, greatest } = extentOf({ source, destination });
  // Nothing but infinite values, or one microsecond: there is nothing to cut.
  if (least === undefined || greatest === undefined) return true;
  return window.after === least && window.upTo === justAfter(least);
}

function extentOf({ source, destination }: Pick<Partition, 'source' | 'destination'>) {
  return {
    least: earlier(source.least, destination.least),
    greatest: later(source.greatest, destination.greatest),
  };
}

function justAfter(instant: InstantText): InstantText {
  return instantFromMicros(instantMicros(instant) + 1n);
}

/**
 * Windows that together are the partition's own. Only where rows are is cut finely; what lies outside of
 * their finite values can hold nothing but infinite ones, and stays by itself.
 */
function cut(partition: Partition, parts: number): Window[] {
  const { least, greatest } = extentOf(partition);
  if (least === undefined || greatest === undefined) return [partition.window];
  const first = instantMicros(least);
  const width = instantMicros(greatest) + 1n - first;
  const count = BigInt(parts);
  const edges = Array.from(
    { length: parts + 1 },
    (_, index) => first + (width * BigInt(index)) / count,
  );
  const inside = [...new Set(edges)]
    .map(instantFromMicros)
    .filter((edge) => isInside(edge, partition.window));
  const bounds = [partition.window.after, ...inside, partition.window.upTo];
  return bounds.slice(1).map((upTo, index) => ({ after: bounds[index], upTo }));
}

function isInside(edge: InstantText, { after, upTo }: Window): boolean {
  const isFrom = after === undefined || compareInstants(edge, after) > 0;
  return isFrom && (upTo === undefined || compareInstants(edge, upTo) < 0);
}

/** One row at one end. */
export interface RowMark {
  readonly key: readonly string[];
  /** Of all compared columns. */
  readonly hash: string;
}

export interface ComparedRow extends RowMark {
  readonly lastModified: InstantText;
}

export const differences = ['pending', 'stale', 'missing', 'incorrect', 'orphaned'] as const;
export type Difference = (typeof differences)[number];

/**
 * What is wrong with one key, from a row of the destination and one that the source gave after it.
 * @param landedBelow what the source stamped before it has landed, so the destination should have it
 */
export function differenceOf(
  {
    source,
    destination,
  }: { source: ComparedRow | undefined; destination: ComparedRow | undefined },
  landedBelow: InstantText | undefined,
): Difference | undefined {
  if (source === undefined) return destination === undefined ? undefined : 'orphaned';
  if (destination?.hash === source.hash) return undefined;
  const hasLanded =
    landedBelow !== undefined && compareInstants(source.lastModified, landedBelow) < 0;
  if (destination === undefined) return hasLanded ? 'missing' : 'pending';
  return hasLanded ? 'incorrect' : 'stale';
}

/** A key as one text, to look it up by. */
export function keyText(key: readonly string[]): string {
  return JSON.stringify(key);
}

/** Keys that one end has and the other has not, or has with other values. */
export function suspects(
  source: readonly RowMark[],
  destination: readonly RowMark[],
): (readonly string[])[] {
  const there = new Map(destination.map((row) => [keyText(row.key), row]));
  const found: (readonly string[])[] = [];
  for (const { key, hash } of source) {
    const text = keyText(key);
    if (there.get(text)?.hash !== hash) found.push(key);
    there.delete(text);
  }
  return [...found, ...[...there.values()].map(({ key }) => key)];
}

/**
 * The windows with which transfers bring over what the source has in these partitions: no more than `max`,
 * which joins those that lie closest.
 */
export function repairWindows(partitions: readonly Partition[], max: number): Required<Window>[] {
  const windows = partitions
    .flatMap(({ source: { least, greatest } }) =>
      least === undefined || greatest === undefined
        ? []
        : [{ after: instantMicros(least), upTo: instantMicros(greatest) + 1n }],
    )
    .toSorted((a, b) => Number(a.after > b.after) - Number(a.after < b.after));
  while (windows.length > max) {
    const gaps = windows.slice(1).map(({ after }, index) => after - (windows[index]?.upTo ?? 0n));
    const at = gaps.indexOf(gaps.reduce((least, gap) => (gap < least ? gap : least)));
    const [left, right] = windows.slice(at, at + 2);
    if (left !== undefined && right !== undefined)
      windows.splice(at, 2, { after: left.after, upTo: right.upTo });
  }
  return windows.map(({ after, upTo }) => ({
    after: instantFromMicros(after),
    upTo: instantFromMicros(upTo),
  }));
}

/** What a comparison of one model came to. */
export interface ComparisonResult {
  /** 1: every row of the partitions that differ was compared. */
  readonly samplingRate: number;
  readonly rowsCompared: number;
  readonly counts: Readonly<Record<Difference, number>>;
  /** Orphaned rows that were removed. */
  readonly rowsRemoved: number;
  readonly partitions: readonly Partition[];
}

/** One row in so many is compared where the partitions that differ hold more than `rowsMax`. */
export function shareOf(leaves: readonly Partition[], rowsMax: number): number {
  const rows = leaves.reduce(
    (sum, one) => sum + Math.max(one.source.rows, one.destination.rows),
    0,
  );
  return Math.max(1, Math.ceil(rows / rowsMax));
}
