import { Failure } from '../../domain/failure.ts';
import type { LandedColumn, LandedTable, LoadPlan, LoadProgress } from '../../domain/load.ts';
import { later } from '../../domain/instant.ts';
import { wrapInMessages } from '../../formats/copy-messages.ts';
import { must } from '../../lib/must.ts';
import type { Batch } from '../connector.ts';
import { quote, quoteAll, setting } from './sql.ts';
import { formatOf, landedTypes } from './type-table.ts';

export const writerSettings = ['set local jit = off'];

/**
 * Measured: to find the rows of a batch among many millions the planner likes to hash the whole table;
 * one look into the key's index per row is several times faster.
 */
export const lookupSettings = [
  'set local enable_hashjoin = off',
  'set local enable_mergejoin = off',
  'set local enable_seqscan = off',
  'set local enable_bitmapscan = off',
];

/** Column definitions in the given order; key columns refuse null, so that it is met as early as can be. */
export function columnDefinitions(
  columns: readonly LandedColumn[],
  key: readonly string[],
): string {
  return columns
    .map(
      ({ name, type }) =>
        `${quote(name)} ${landedTypes[type]}${key.includes(name) ? ' not null' : ''}`,
    )
    .join(', ');
}

/** The columns as the rows bring them. */
export function wireColumnsOf(plan: LoadPlan): LandedColumn[] {
  return plan.wireColumns.map((name) =>
    must(
      plan.table.columns.find((column) => column.name === name),
      `column ${name} in the landed table`,
    ),
  );
}

export function copyStatement(target: string, plan: LoadPlan): string {
  return /*sql*/ `copy ${target} (${quoteAll(plan.wireColumns)}) from stdin (format ${formatOf(plan.encoding)})`;
}

/** The rows of a batch as the messages that a COPY takes. */
export function messagesOf(batch: Batch, { encoding }: LoadPlan): readonly Buffer[] {
  return encoding === 'copy_text' ? wrapInMessages(batch.chunks) : batch.chunks;
}

/** @throws Failure `destination_unreachable` where the server counted other rows than were sent */
export function checkTaken(rows: number, batch: Batch): void {
  if (rows === batch.rows) return;
  const sentence = 'The destination took fewer rows than it was sent.';
  throw new Failure('destination_unreachable', sentence);
}

export interface Upsert {
  readonly from: string;
  readonly into: string;
  readonly table: LandedTable;
  /** Which rows of `from`, as a condition on `b`. */
  readonly where?: string;
  /** Most rows will differ. Measured: to look for equal ones first then costs an eighth of the whole. */
  readonly expectsChanges?: boolean;
}

/**
 * Brings over the rows that are new or differ in any written column. Rows are compared by their image:
 * other comparisons call 1.0 and 1.00 equal, or cannot compare json. Unless most will differ, those that
 * are equal are left out before the upsert, which would lock them.
 */
export function upsertStatement(upsert: Upsert): string {
  const { from, into, table, where, expectsChanges = false } = upsert;
  const names = table.columns.map(({ name }) => name);
  const others = names.filter((name) => !table.key.includes(name));
  const image = (alias: string) =>
    `row(${others.map((name) => comparable(table, name, `${alias}.${quote(name)}`)).join(', ')})::record`;
  const sameKey = table.key.map((name) => `e.${quote(name)} = b.${quote(name)}`).join(' and ');
  const isEqual = others.length === 0 ? sameKey : `${sameKey} and ${image('e')} *= ${image('b')}`;
  const updates = others.map((name) => `${quote(name)} = excluded.${quote(name)}`).join(', ');
  const onConflict =
    others.length === 0
      ? 'do nothing'
      : `do update set ${updates} where ${image('t')} *<> ${image('excluded')}`;
  const conditions = [
    ...(where === undefined ? [] : [where]),
    ...(expectsChanges ? [] : [`not exists (select from ${into} e where ${isEqual})`]),
  ];
  return /*sql*/ `insert into ${into} as t (${quoteAll(names)})
    select ${quoteAll(names)} from ${from} b where ${[...conditions, 'true'].join(' and ')}
    on conflict (${quoteAll(table.key)}) ${onConflict}`;
}

/** Images of two types cannot be compared, and a column may have been widened since this revision. */
function comparable({ columns }: LandedTable, name: string, expression: string): string {
  const type = columns.find((column) => column.name === name)?.type;
  return type === 'integer' ? `${expression}::bigint` : expression;
}

/** What a committed batch does to the row of its load. A catch-up starts over, so it keeps no cursor. */
export function batchAssignments(progress: LoadProgress): string[] {
  const always = [
    `load_greatest = greatest(load_greatest, ${setting('cursor')}::timestamptz)`,
    `staged_rows = staged_rows + ${setting('rows')}::bigint`,
  ];
  if (progress.pass > 0) return always;
  return [
    ...always,
    `load_cursor = ${setting('cursor')}::timestamptz`,
    `load_cursor_key = ${setting('cursor_key')}::text[]`,
    `load_rows = load_rows + ${setting('rows')}::bigint`,
  ];
}

export function batchValues(batch: Batch): Record<string, string | number | readonly string[]> {
  return { cursor: batch.cursor.lastModified, cursor_key: batch.cursor.key, rows: batch.rows };
}

/** Where the load stands once the batch is committed. */
export function advance(progress: LoadProgress, batch: Batch): LoadProgress {
  const greatest = later(batch.cursor.lastModified, progress.greatest);
  if (progress.pass > 0) return { ...progress, greatest };
  return { ...progress, greatest, resumeAfter: batch.cursor, rows: progress.rows + batch.rows };
}
