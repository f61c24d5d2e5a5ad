import { and, arrayContains, asc, eq, inArray, isNull, lt, sql } from 'drizzle-orm';
import type { NoticeType } from '../domain/notices.ts';
import type { Environment } from '../domain/statuses.ts';
import { takesNotice } from '../domain/webhook-request.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import { uuidv7 } from '../lib/uuid.ts';
import type { Db } from './database.ts';
import { deliveries, deliveryAttempts, notices, webhooks } from './notice-schema.ts';

export interface NewNotice {
  readonly environment: Environment;
  readonly type: NoticeType;
  readonly resourceId: string;
  /** Undefined: the transfer of that id, as it is when it is sent. */
  readonly data?: JsonObject | undefined;
}

/**
 * Writes an event down for every webhook that asked for it; for none, nothing is written. Belongs into the
 * transaction of what it tells of. Whoever commits it rings, and `reconcile` does where he did not.
 */
export async function recordNotice(db: Db, notice: NewNotice): Promise<void> {
  const { environment, type, resourceId, data } = notice;
  const listeners = await db
    .select({ id: webhooks.id, vendor: webhooks.vendor })
    .from(webhooks)
    .where(
      and(
        eq(webhooks.environment, environment),
        eq(webhooks.isEnabled, true),
        isNull(webhooks.deletedAt),
        arrayContains(webhooks.events, [type]),
      ),
    );
  const takers = listeners.filter(({ vendor }) => takesNotice(vendor, type));
  await insertNotice(db, {
    environment,
    type,
    resourceId,
    data,
    webhookIds: takers.map(({ id }) => id),
  });
}

/** The same for chosen webhooks. @returns the ids of the deliveries, in the order of the webhooks */
export async function insertNotice(
  db: Db,
  input: NewNotice & { readonly webhookIds: readonly string[] },
): Promise<string[]> {
  const { environment, type, resourceId, data, webhookIds } = input;
  if (webhookIds.length === 0) return [];
  const noticeId = uuidv7();
  await db
    .insert(notices)
    .values({ id: noticeId, environment, type, resourceId, data: data ?? null });
  const rows = webhookIds.map((webhookId) => ({
    id: uuidv7(),
    noticeId,
    webhookId,
    resourceId,
    status: 'PENDING' as const,
  }));
  await db.insert(deliveries).values(rows);
  return rows.map(({ id }) => id);
}

/** A lane: the events of one object to one webhook, which arrive in order. */
export interface Lane {
  readonly webhookId: string;
  readonly resourceId: string;
}

/** Bounded: what is left is rung by the next who looks. */
const ringMax = 200;

/**
 * Rings for lanes whose deliveries nobody was told of. May run twice and at once: a bell rung twice is
 * harmless. @param olderThanSeconds leaves younger ones to whoever wrote them
 */
export async function ringDeliveries(
  db: Db,
  ring: (lane: Lane) => Promise<void>,
  { olderThanSeconds = 0 }: { olderThanSeconds?: number } = {},
): Promise<void> {
  const rows = await db
    .select({
      id: deliveries.id,
      webhookId: deliveries.webhookId,
      resourceId: deliveries.resourceId,
    })
    .from(deliveries)
    .where(
      and(
        isNull(deliveries.endedAt),
        isNull(deliveries.rungAt),
        sql`${deliveries.createdAt} <= now() - make_interval(secs => ${olderThanSeconds})`,
      ),
    )
    .orderBy(asc(deliveries.id))
    .limit(ringMax);
  const lanes = Map.groupBy(rows, (row) => `${row.webhookId} ${row.resourceId}`);
  for (const [first, ...others] of lanes.values()) {
    if (first === undefined) continue;
    await ring({ webhookId: first.webhookId, resourceId: first.resourceId });
    const ids = [first, ...others].map(({ id }) => id);
    await db
      .update(deliveries)
      .set({ rungAt: sql`now()` })
      .where(inArray(deliveries.id, ids));
  }
}

/** Lanes that were rung for, and still have something open: their workflow may be gone. */
export async function listOpenLanes(db: Db, olderThanSeconds: number): Promise<Lane[]> {
  return await db
    .selectDistinct({ webhookId: deliveries.webhookId, resourceId: deliveries.resourceId })
    .from(deliveries)
    .where(
      and(
        isNull(deliveries.endedAt),
        sql`${deliveries.rungAt} < now() - make_interval(secs => ${olderThanSeconds})`,
      ),
    )
    .limit(ringMax);
}

export interface DueDelivery {
  readonly id: string;
  readonly attempts: number;
  readonly ageSeconds: number;
  readonly notice: typeof notices.$inferSelect;
  readonly webhook: typeof webhooks.$inferSelect;
}

/** The oldest open delivery of a lane. */
export async function findDueDelivery(db: Db, lane: Lane): Promise<DueDelivery | undefined> {
  const [found] = await db
    .select({
      id: deliveries.id,
      attempts: deliveries.attempts,
      ageSeconds: sql<number>`extract(epoch from now() - ${deliveries.createdAt})`.mapWith(Number),
      notice: notices,
      webhook: webhooks,
    })
    .from(deliveries)
    .innerJoin(notices, eq(notices.id, deliveries.noticeId))
    .innerJoin(webhooks, eq(webhooks.id, deliveries.webhookId))
    .where(
      and(
        eq(deliveries.webhookId, lane.webhookId),
        eq(deliveries.resourceId, lane.resourceId),
        isNull(deliveries.endedAt),
      ),
    )
    .orderBy(asc(deliveries.id))
    .limit(1);
  return found;
}

export interface AttemptRecord {
  readonly deliveryId: string;
  readonly statusCode: number | null;
  readonly error: string | null;
  readonly millis: number;
  /** Undefined: it stays open. */
  readonly end: 'SUCCESS' | 'ERROR' | undefined;
}

/** Records an attempt and what came of it, once for each. */
export async function recordAttempt(db: Db, attempt: AttemptRecord): Promise<void> {
  const { deliveryId, statusCode, error, millis, end } = attempt;
  await db.transaction(async (tx) => {
    await tx
      .insert(deliveryAttempts)
      .values({ id: uuidv7(), deliveryId, statusCode, error, millis });
    await tx
      .update(deliveries)
      .set({
        attempts: sql`${deliveries.attempts} + 1`,
        ...(end !== undefined && { status: end, endedAt: sql`now()` }),
      })
      .where(and(eq(deliveries.id, deliveryId), isNull(deliveries.endedAt)));
  });
}

/** Ends a delivery that nobody waits for any more: its webhook is gone or disabled. */
export async function dropDelivery(db: Db, deliveryId: string): Promise<void> {
  await db
    .update(deliveries)
    .set({ status: 'CANCELLED', endedAt: sql`now()` })
    .where(and(eq(deliveries.id, deliveryId), isNull(deliveries.endedAt)));
}

/** Removes notices past their age, with their deliveries. */
export async function purgeNotices(db: Db, days: number): Promise<void> {
  const isOld = lt(notices.createdAt, sql`now() - make_interval(days => ${days})`);
  await db.transaction(async (tx) => {
    const old = await tx.select({ id: notices.id }).from(notices).where(isOld).limit(1000);
    const ids = old.map(({ id }) => id);
    if (ids.length === 0) return;
    const gone = tx
      .select({ id: deliveries.id })
      .from(deliveries)
      .where(inArray(deliveries.noticeId, ids));
    await tx.delete(deliveryAttempts).where(inArray(deliveryAttempts.deliveryId, gone));
    await tx.delete(deliveries).where(inArray(deliveries.noticeId, ids));
    await tx.delete(notices).where(inArray(notices.id, ids));
  });
}
