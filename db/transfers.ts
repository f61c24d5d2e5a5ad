import {
  and,
  asc,
  desc,
  eq,
  getColumns,
  gte,
  inArray,
  isNotNull,
  lt,
  sql,
  type SQL,
} from 'drizzle-orm';
import { Failure } from '../domain/failure.ts';
import type { Environment, TransferStatus } from '../domain/statuses.ts';
import { isUuid } from '../lib/uuid.ts';
import type { Db } from './database.ts';
import { keyset, pageOf, type Page, type PageRequest } from './paging.ts';
import { transferModels, transfers } from './transfer-schema.ts';
import { appendLog } from './transfer-log.ts';

export type TransferModelRecord = typeof transferModels.$inferSelect;

/** A transfer with what is known of each of its models, in the order in which they were frozen. */
export type TransferRecord = typeof transfers.$inferSelect & {
  readonly models: readonly TransferModelRecord[];
};

/** Who may see what: a token sees one recipient, a key the whole environment. */
export interface TransferScope {
  readonly environment: Environment;
  readonly recipientId?: string | undefined;
}

export interface TransferFilters {
  readonly destinationId?: string | undefined;
  readonly statuses?: readonly TransferStatus[] | undefined;
  /** All of them must match. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** Exclusive. */
  readonly endedBefore?: Date | undefined;
  /** Inclusive. */
  readonly endedAfter?: Date | undefined;
}

const columns = getColumns(transfers);

/** @throws Failure `not_found` */
export async function getTransfer(
  db: Db,
  input: TransferScope & { id: string },
): Promise<TransferRecord> {
  const isIt = isUuid(input.id) ? eq(transfers.id, input.id) : sql`false`;
  const rows = await db
    .select(columns)
    .from(transfers)
    .where(and(inScope(input), isIt));
  const [transfer] = await withModels(db, rows);
  if (!transfer) throw new Failure('not_found', `There is no transfer ${input.id}.`);
  return transfer;
}

/** By time of submission, at the full precision it is stored in. */
export async function listTransfers(
  db: Db,
  input: TransferScope & TransferFilters & { page: PageRequest },
): Promise<Page<TransferRecord>> {
  const position = keyset(input.page, { at: transfers.submittedAt, id: transfers.id });
  const rows = await db
    .select({ ...columns, sortValue: position.sortValue })
    .from(transfers)
    .where(and(inScope(input), ...matching(input), position.after))
    .orderBy(...position.orderBy)
    .limit(position.limit);
  const page = pageOf(rows, input.page);
  return { ...page, items: await withModels(db, page.items) };
}

/** The transfer of each destination that ended last; destinations without one are left out. */
export async function lastCompletedTransfers(
  db: Db,
  input: { environment: Environment; destinationIds: readonly string[] },
): Promise<Map<string, TransferRecord>> {
  const rows = await db
    .selectDistinctOn([transfers.destinationId], columns)
    .from(transfers)
    .where(
      and(
        eq(transfers.environment, input.environment),
        inArray(transfers.destinationId, [...input.destinationIds]),
        isNotNull(transfers.endedAt),
      ),
    )
    .orderBy(transfers.destinationId, desc(transfers.endedAt), desc(transfers.id));
  const ended = await withModels(db, rows);
  return new Map(ended.map((transfer) => [transfer.destinationId, transfer]));
}

/**
 * Marks a running transfer as paused or going on; its status stays RUNNING.
 * @throws Failure `not_found`; `conflict` when it is not running.
 */
export async function setPaused(
  db: Db,
  input: TransferScope & { id: string; isPaused: boolean },
): Promise<TransferRecord> {
  return await db.transaction(async (tx) => {
    const changed = await tx
      .update(transfers)
      .set({ isPaused: input.isPaused })
      .where(
        and(
          inScope(input),
          isUuid(input.id) ? eq(transfers.id, input.id) : sql`false`,
          eq(transfers.status, 'RUNNING'),
        ),
      )
      .returning({ id: transfers.id });
    const transfer = await getTransfer(tx, input);
    if (changed.length === 0) {
      const verb = input.isPaused ? 'paused' : 'resumed';
      const message = `Transfer ${input.id} is ${transfer.status}; only a RUNNING one can be ${verb}.`;
      throw new Failure('conflict', message);
    }
    await appendLog(tx, { transferId: input.id, line: input.isPaused ? 'Paused.' : 'Resumed.' });
    return transfer;
  });
}

export function inScope(scope: TransferScope): SQL | undefined {
  const { environment, recipientId } = scope;
  return and(
    eq(transfers.environment, environment),
    recipientId === undefined ? undefined : eq(transfers.recipientId, recipientId),
  );
}

function matching(filters: TransferFilters): (SQL | undefined)[] {
  const { destinationId, statuses, tags, endedBefore, endedAfter } = filters;
  const ofDestination = (id: string) => (isUuid(id) ? eq(transfers.destinationId, id) : sql`false`);
  return [
    destinationId === undefined ? undefined : ofDestination(destinationId),
    statuses && inArray(transfers.status, [...statuses]),
    tags && sql`${transfers.tags} @> ${JSON.stringify(tags)}::jsonb`,
    endedBefore && lt(transfers.endedAt, endedBefore),
    endedAfter && gte(transfers.endedAt, endedAfter),
  ];
}

async function withModels<Row extends { id: string }>(
  db: Db,
  rows: readonly Row[],
): Promise<(Row & { models: TransferModelRecord[] })[]> {
  const ids = rows.map(({ id }) => id);
  const models = await db
    .select()
    .from(transferModels)
    .where(inArray(transferModels.transferId, ids))
    .orderBy(asc(transferModels.position));
  const byTransfer = Map.groupBy(models, ({ transferId }) => transferId);
  return rows.map((row) => ({ ...row, models: byTransfer.get(row.id) ?? [] }));
}
