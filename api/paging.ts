import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Page, PagePosition, PageRequest } from '../db/paging.ts';
import type { AppEnv } from './deps.ts';
import { invalid } from './errors.ts';

const pageSizeMax = 100;
const wholeListMax = 1000;
const readAllMax = 100_000;

/** The query fields that every list has. */
export const PageQuery = z.object({
  page_size: z
    .string()
    .regex(/^[1-9]\d{0,8}$/, { error: 'must be a whole number of at least 1.' })
    .transform((text) => Math.min(Number(text), pageSizeMax))
    .default(10)
    .openapi({ type: 'integer', minimum: 1, default: 10, description: 'Above 100 counts as 100.' }),
  order: z.enum(['asc', 'desc']).default('desc').openapi({ description: 'By time of creation.' }),
  cursor: z.string().optional().openapi({ description: 'From `next_url` of the page before.' }),
});

/** What the list verbs want. @throws Failure `invalid` for a cursor that is not of our form. */
export function pageRequestOf(query: z.infer<typeof PageQuery>): PageRequest {
  const after =
    query.cursor === undefined || query.cursor === '' ? undefined : decodeCursor(query.cursor);
  return { pageSize: query.page_size, order: query.order, after };
}

/**
 * Old clients read some lists at once and never ask for a second page; they are known by sending neither
 * a version nor any field of paging.
 */
export function wholeListOf(c: Context<AppEnv>, query: z.infer<typeof PageQuery>): PageRequest {
  const isPaged = ['page_size', 'cursor'].some((field) => c.req.query(field) !== undefined);
  const request = pageRequestOf(query);
  return isPaged || c.req.header('x-prequel-api-version') !== undefined
    ? request
    : { ...request, pageSize: wholeListMax };
}

/**
 * All items of a list that is not paged on purpose, as one page.
 * @param list reads one page of it
 */
export async function readAll<Row>(
  list: (page: PageRequest) => Promise<Page<Row>>,
): Promise<Page<Row>> {
  const items: Row[] = [];
  let page: Page<Row> | undefined;
  do {
    const after: PagePosition | undefined = page?.next;
    page = await list({ pageSize: wholeListMax, order: 'desc', after });
    items.push(...page.items);
  } while (page.hasNext && items.length < readAllMax);
  return { items, hasNext: false, next: undefined };
}

const Position = z.object({ id: z.string(), last_seen_sort_value: z.string() });

/** Base64 as clients build it themselves: padded or not, in either alphabet, a space where a plus stood. */
function decodeCursor(text: string): PagePosition {
  const standard = text
    .replaceAll(' ', '+')
    .replaceAll('-', '+')
    .replaceAll('_', '/')
    .replace(/=+$/, '');
  const position = Position.safeParse(tryJson(standard));
  if (!position.success) {
    const message = 'cursor is not one that this list gave out.';
    throw invalid([{ path: 'cursor', code: 'bad_cursor', message }]);
  }
  return { id: position.data.id, value: position.data.last_seen_sort_value };
}

function tryJson(base64: string): unknown {
  if (!/^[A-Za-z0-9+/]+$/.test(base64)) return undefined;
  try {
    return JSON.parse(Buffer.from(base64, 'base64').toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The visible form of a position: clients take it apart and build it anew. */
export function encodeCursor({ id, value }: PagePosition): string {
  return Buffer.from(JSON.stringify({ id, last_seen_sort_value: value })).toString('base64');
}

/** The body of one page; `next_url` keeps the path and all other query parameters as they were asked. */
export function pageAnswer<K extends string, Row, Item>(
  c: Context<AppEnv>,
  list: { key: K; page: Page<Row>; present: (row: Row) => Item },
) {
  const { page } = list;
  const items = page.items.map(list.present);
  return {
    status: 'success' as const,
    data: { [list.key]: items } as Record<K, Item[]>,
    message: `${items.length} ${items.length === 1 ? 'item' : 'items'}`,
    has_next: page.hasNext,
    ...(page.next && { next_url: nextUrl(c, page.next) }),
  };
}

function nextUrl(c: Context<AppEnv>, next: PagePosition): string {
  const asked = new URL(c.req.url);
  asked.searchParams.set('cursor', encodeCursor(next));
  return `${c.get('deps').publicUrl}${asked.pathname}${asked.search}`;
}
