import { Failure } from '../../domain/failure.ts';
import type { Row } from './store.ts';

/** The column of a hidden table that says which attempt read the row. */
export const attemptColumn = '_waybill_attempt';

/** How many keys one step of a publish takes: few, so that tests see the steps. */
const publishKeysMax = 3;

/** The key as one text. @throws Failure `source_mismatch` where a part of it is null. */
export function keyText(row: Row, key: readonly string[]): string {
  const values = key.map((column) => row[column] ?? null);
  if (values.includes(null)) throw keyFault('The key of a row is null at the source.');
  return JSON.stringify(values);
}

function keyFault(message: string): Failure {
  return new Failure('source_mismatch', message, { code: 'KEYS' });
}

function byKey(rows: readonly Row[], key: readonly string[]): Map<string, Row> {
  return new Map(rows.map((row) => [keyText(row, key), row]));
}

/**
 * The live rows with the new ones laid over them. The last to arrive is right: neither its last-modified
 * value nor anything else in a row is asked. Columns that the new rows do not have keep what they hold.
 * @throws Failure `source_mismatch` where two of the new rows have the same key.
 */
export function mergeRows(
  live: readonly Row[],
  arriving: readonly Row[],
  key: readonly string[],
): { rows: Row[]; rowsChanged: number } {
  const merged = byKey(live, key);
  const updates = byKey(arriving, key);
  if (updates.size < arriving.length) throw keyFault('A key stands twice at the source.');
  let rowsChanged = 0;
  for (const [text, row] of updates) {
    const before = merged.get(text);
    if (before !== undefined && isSame(before, row)) continue;
    merged.set(text, { ...before, ...row });
    rowsChanged += 1;
  }
  return { rows: [...merged.values()], rowsChanged };
}

/** Every written column the same, to the character: what is equal in value may still be another text. */
function isSame(before: Row, row: Row): boolean {
  return Object.entries(row).every(([column, value]) => before[column] === value);
}

/**
 * The rows that a replace publishes: of each key the one that was read last.
 * @throws Failure `source_mismatch` where one attempt, and so one snapshot, had a key twice.
 */
export function keepLastAttempt(rows: readonly Row[], key: readonly string[]): Row[] {
  const last = new Map<string, Row>();
  for (const row of rows) {
    const text = keyText(row, key);
    const seen = last.get(text);
    const difference = Number(row[attemptColumn]) - Number(seen?.[attemptColumn] ?? 0);
    if (difference === 0) throw keyFault('A key stands twice at the source.');
    if (difference > 0) last.set(text, row);
  }
  return [...last.values()];
}

export interface PublishRange {
  readonly live: readonly Row[];
  readonly hidden: readonly Row[];
  readonly key: readonly string[];
  /** The last key of the range before. */
  readonly after: string | undefined;
}

/**
 * One range of keys brought to what the hidden table has: rows that are gone go, rows that differ are
 * replaced.
 */
export function publishRange({ live, hidden, key, after }: PublishRange): {
  rows: Row[];
  /** The last key of this range; undefined where no key is left after it. */
  publishedTo: string | undefined;
} {
  const before = byKey(live, key);
  const wanted = byKey(hidden, key);
  const all = [...new Set([...before.keys(), ...wanted.keys()])].toSorted();
  const left = all.filter((text) => after === undefined || text > after);
  const range = left.slice(0, publishKeysMax);
  for (const text of range) {
    const row = wanted.get(text);
    if (row === undefined) before.delete(text);
    else before.set(text, { ...before.get(text), ...row });
  }
  const publishedTo = left.length > range.length ? range.at(-1) : undefined;
  return { rows: [...before.values()], publishedTo };
}
