import { and, eq, isNull, ne, sql } from 'drizzle-orm';
import { scheduleOf, type ScheduleSpec } from '../domain/schedule.ts';
import type { Actor, Environment } from '../domain/statuses.ts';
import { cancelPending } from './cancel-transfer.ts';
import { recordAudit } from './audit.ts';
import type { Database, Db } from './database.ts';
import { getEnvironmentSettings } from './environment-settings.ts';
import { nextScheduleVersion } from './schedule-version.ts';
import { destinations } from './schema.ts';

// The row says what the schedule should be. Every change of it raises `schedule_version`; the version that
// Temporal has is in `scheduled_version`.

/** What Temporal should be told of one destination. */
export type PutSchedule = (destinationId: string, spec: ScheduleSpec | undefined) => Promise<void>;

/**
 * Tells Temporal what the schedule of a destination is, where it does not have that version. The row stays
 * locked meanwhile, so that two tellers cannot leave the older word standing.
 */
export async function syncSchedule(
  db: Database,
  destinationId: string,
  put: PutSchedule,
): Promise<void> {
  await db.transaction(async (tx) => {
    const [destination] = await tx
      .select()
      .from(destinations)
      .where(and(eq(destinations.id, destinationId), isOutdated))
      .for('update', { skipLocked: true });
    if (destination === undefined) return;
    const settings = await getEnvironmentSettings(tx, destination.environment);
    const { scheduleCron: cron, scheduleTimeZone: timeZone, deletedAt } = destination;
    const spec =
      deletedAt === null ? scheduleOf({ ...destination, cron, timeZone }, settings) : undefined;
    await put(destinationId, spec);
    await tx
      .update(destinations)
      .set({ scheduledVersion: destination.scheduleVersion })
      .where(eq(destinations.id, destinationId));
  });
}

const isOutdated = ne(destinations.scheduleVersion, destinations.scheduledVersion);

/** Destinations whose schedule Temporal does not have, in no order, deleted ones included. */
export async function listOutdatedSchedules(db: Db, limit: number): Promise<string[]> {
  const rows = await db
    .select({ id: destinations.id })
    .from(destinations)
    .where(isOutdated)
    .orderBy(sql`random()`)
    .limit(limit);
  return rows.map(({ id }) => id);
}

/** A few destinations, drawn at random, which should have a schedule if Temporal was told so. */
export async function drawScheduled(db: Db, count: number): Promise<string[]> {
  const rows = await db
    .select({ id: destinations.id })
    .from(destinations)
    .where(and(isNull(destinations.deletedAt), eq(destinations.isEnabled, true)))
    .orderBy(sql`random()`)
    .limit(count);
  return rows.map(({ id }) => id);
}

/** Marks the schedule of a destination as one that Temporal has to be told again. */
export async function outdateSchedule(db: Db, destinationId: string): Promise<void> {
  await db.update(destinations).set(nextScheduleVersion).where(eq(destinations.id, destinationId));
}

/**
 * Enables or disables every destination of the environment; disabling ends the transfers that wait.
 * @returns the ids of those that changed
 */
export async function setAllEnabled(
  db: Db,
  input: { environment: Environment; isEnabled: boolean; actor: Actor },
): Promise<string[]> {
  const { environment, isEnabled, actor } = input;
  return await db.transaction(async (tx) => {
    const changed = await tx
      .update(destinations)
      .set({ isEnabled, ...nextScheduleVersion, updatedAt: sql`now()` })
      .where(
        and(
          eq(destinations.environment, environment),
          ne(destinations.isEnabled, isEnabled),
          isNull(destinations.deletedAt),
        ),
      )
      .returning({ id: destinations.id });
    for (const { id } of isEnabled ? [] : changed) {
      const line = 'Cancelled: all destinations were paused.';
      await cancelPending(tx, { destinationId: id, line });
    }
    await recordAudit(tx, {
      environment,
      eventType: isEnabled ? 'DESTINATION_ENABLE_ALL' : 'DESTINATION_PAUSE_ALL',
      resourceId: environment,
      actor,
      object: { count: changed.length },
    });
    return changed.map(({ id }) => id);
  });
}

/** The environment of a destination that is there. */
export async function environmentOf(
  db: Db,
  destinationId: string,
): Promise<Environment | undefined> {
  const [found] = await db
    .select({ environment: destinations.environment })
    .from(destinations)
    .where(and(eq(destinations.id, destinationId), isNull(destinations.deletedAt)));
  return found?.environment;
}
