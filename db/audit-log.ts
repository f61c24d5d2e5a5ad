import { and, eq, getColumns, gte, inArray, sql } from 'drizzle-orm';
import { Failure } from '../domain/failure.ts';
import type { Environment } from '../domain/statuses.ts';
import { isUuid } from '../lib/uuid.ts';
import { auditLog } from './access-schema.ts';
import type { Db } from './database.ts';
import { keyset, pageOf, type Page, type PageRequest } from './paging.ts';

/** One write, with its object before and after it as the API showed it then: without secrets. */
export type AuditRecord = typeof auditLog.$inferSelect;

/** By time. `skip` leaves out so many entries first, for clients that count instead of following a cursor. */
export async function listAuditLog(
  db: Db,
  input: {
    environment: Environment;
    page: PageRequest;
    eventTypes?: readonly string[] | undefined;
    /** Inclusive. */
    since?: Date | undefined;
    skip?: number | undefined;
  },
): Promise<Page<AuditRecord>> {
  const { environment, page, eventTypes, since, skip = 0 } = input;
  const position = keyset(page, { at: auditLog.at, id: auditLog.id });
  const rows = await db
    .select({ ...columns, sortValue: position.sortValue })
    .from(auditLog)
    .where(
      and(
        eq(auditLog.environment, environment),
        eventTypes && inArray(auditLog.eventType, [...eventTypes]),
        since && gte(auditLog.at, since),
        position.after,
      ),
    )
    .orderBy(...position.orderBy)
    .limit(position.limit)
    .offset(skip);
  return pageOf(rows, page);
}

/** @throws Failure `not_found` */
export async function getAuditEntry(
  db: Db,
  { environment, id }: { environment: Environment; id: string },
): Promise<AuditRecord> {
  const isIt = isUuid(id) ? eq(auditLog.id, id) : sql`false`;
  const [entry] = await db
    .select(columns)
    .from(auditLog)
    .where(and(eq(auditLog.environment, environment), isIt));
  if (!entry) throw new Failure('not_found', `There is no log entry ${id}.`);
  return entry;
}

const columns = getColumns(auditLog);
