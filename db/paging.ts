import { asc, desc, sql, type SQL } from 'drizzle-orm';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';
import { Failure } from '../domain/failure.ts';
import { isUuid } from '../lib/uuid.ts';

/** The place of an item in a list: its sort value at full stored precision, and its id for ties. */
export interface PagePosition {
  readonly id: string;
  readonly value: string;
}

export interface PageRequest {
  readonly pageSize: number;
  readonly order: 'asc' | 'desc';
  /** The last item already seen. */
  readonly after?: PagePosition | undefined;
}

export interface Page<Item> {
  readonly items: Item[];
  readonly hasNext: boolean;
  /** The last item of this page; set exactly when there is a next one. */
  readonly next: PagePosition | undefined;
}

export interface Keyset {
  /** The sort value as text; select it as `sortValue`. */
  readonly sortValue: SQL<string>;
  readonly after: SQL | undefined;
  readonly orderBy: SQL[];
  /** One more than the page, which tells whether there is a next one. */
  readonly limit: number;
}

const sortValuePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

/**
 * The parts of a query that lists by (instant, id), so that a page neither repeats nor skips a row when
 * others are inserted meanwhile.
 * @throws Failure `invalid` when the position is not one of ours.
 */
export function keyset(request: PageRequest, by: { at: AnyPgColumn; id: AnyPgColumn }): Keyset {
  const direction = request.order === 'asc' ? asc : desc;
  return {
    sortValue: sql<string>`to_char(${by.at} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`,
    after: request.after && afterPosition(request.after, { ...by, order: request.order }),
    orderBy: [direction(by.at), direction(by.id)],
    limit: request.pageSize + 1,
  };
}

function afterPosition(
  position: PagePosition,
  by: { at: AnyPgColumn; id: AnyPgColumn; order: 'asc' | 'desc' },
): SQL {
  if (!isSortValue(position.value) || !isUuid(position.id)) {
    const message = 'The cursor is not one that this list gave out.';
    throw new Failure('invalid', message, {
      violations: [{ path: 'cursor', code: 'bad_cursor', message }],
    });
  }
  const seen = sql`(${position.value}::timestamptz, ${position.id}::uuid)`;
  return by.order === 'asc'
    ? sql`(${by.at}, ${by.id}) > ${seen}`
    : sql`(${by.at}, ${by.id}) < ${seen}`;
}

/** Whether Postgres will read it: the 30th of February looks right and is not. */
function isSortValue(text: string): boolean {
  const date = new Date(sortValuePattern.test(text) ? text : '');
  if (Number.isNaN(date.getTime()) || text.startsWith('0000')) return false;
  return date.toISOString().slice(0, 19) === text.slice(0, 19);
}

/** The rows of a query built from `keyset`, without the one too many. */
export function pageOf<Row extends { id: string; sortValue: string }>(
  rows: Row[],
  request: PageRequest,
): Page<Row> {
  const items = rows.slice(0, request.pageSize);
  const hasNext = rows.length > request.pageSize;
  const last = items.at(-1);
  const next = hasNext && last ? { id: last.id, value: last.sortValue } : undefined;
  return { items, hasNext, next };
}
