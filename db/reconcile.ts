import { and, asc, eq, inArray, isNotNull, isNull, lt, sql } from 'drizzle-orm';
import type { Db } from './database.ts';
import { auditLog } from './access-schema.ts';
import { sensitiveTraces } from './notice-schema.ts';
import { idempotencyKeys, transferLog, transferModels, transfers } from './transfer-schema.ts';

// What `reconcile` looks at: bounded per run, all environments.

const rowsMax = 200;
/** Once a minute: close to three million a day. */
const purgedMax = 2000;

export interface OpenTransfer {
  readonly id: string;
  readonly destinationId: string;
  readonly isEnqueued: boolean;
  readonly isCancelRequested: boolean;
  /** Waits longer than the limit, and not behind a running transfer of its destination. */
  readonly isExpired: boolean;
}

/** Transfers of a status that have been in it for longer than a healthy hand-over takes. */
export async function listOpenTransfers(
  db: Db,
  input: { status: 'PENDING' | 'RUNNING'; olderThanSeconds: number; queueHoursMax: number },
): Promise<OpenTransfer[]> {
  const since = input.status === 'PENDING' ? transfers.submittedAt : transfers.startedAt;
  return (
    db
      .select({
        id: transfers.id,
        destinationId: transfers.destinationId,
        isEnqueued: sql<boolean>`${transfers.enqueuedAt} is not null`,
        isCancelRequested: sql<boolean>`${transfers.cancelRequestedAt} is not null`,
        isExpired: sql<boolean>`
        ${transfers.submittedAt} < now() - make_interval(hours => ${input.queueHoursMax})
        and not exists (select from transfers as other
          where other.destination_id = ${transfers.destinationId} and other.status = 'RUNNING')`,
      })
      .from(transfers)
      .where(
        and(
          eq(transfers.status, input.status),
          isNull(transfers.endedAt),
          sql`${since} < now() - make_interval(secs => ${input.olderThanSeconds})`,
        ),
      )
      // In no order: behind as many that rightly stay as they are, the same would never be looked at.
      .orderBy(sql`random()`)
      .limit(rowsMax)
  );
}

export interface Retention {
  readonly transferDays: number;
  readonly auditDays: number;
}

/** Removes what is past its age, a bounded number of transfers at a time. @returns transfers removed. */
export async function purge(db: Db, { transferDays, auditDays }: Retention): Promise<number> {
  const olderThan = (days: number) => sql`now() - make_interval(days => ${days})`;
  await db
    .delete(idempotencyKeys)
    .where(lt(idempotencyKeys.createdAt, sql`now() - interval '24 hours'`));
  await db.delete(auditLog).where(lt(auditLog.at, olderThan(auditDays)));
  return db.transaction(async (tx) => {
    const old = tx
      .select({ id: transfers.id })
      .from(transfers)
      .where(and(isNotNull(transfers.endedAt), lt(transfers.endedAt, olderThan(transferDays))))
      .orderBy(asc(transfers.endedAt))
      .limit(purgedMax);
    const ids = (await old).map(({ id }) => id);
    if (ids.length === 0) return 0;
    await tx.delete(transferLog).where(inArray(transferLog.transferId, ids));
    await tx.delete(sensitiveTraces).where(inArray(sensitiveTraces.transferId, ids));
    await tx.delete(transferModels).where(inArray(transferModels.transferId, ids));
    await tx.delete(transfers).where(inArray(transfers.id, ids));
    return ids.length;
  });
}
