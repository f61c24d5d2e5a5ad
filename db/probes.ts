import { and, eq, isNotNull, isNull, sql } from 'drizzle-orm';
import { Failure } from '../domain/failure.ts';
import type { ProbeReport } from '../domain/probe.ts';
import type { Environment } from '../domain/statuses.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import { isUuid, uuidv7 } from '../lib/uuid.ts';
import type { Db } from './database.ts';
import { probes } from './access-schema.ts';
import { connections } from './schema.ts';

export type ProbeKind = 'source' | 'destination' | 'model';

/** A connection test or a model validation, and what it came to once it has finished. */
export type ProbeRecord = typeof probes.$inferSelect;

/** How long an unsaved connection under test, and its probe, are kept. */
export const probeMinutesMax = 10;

/** When something made for a test right now lapses. */
export function probeExpiry(now: Date = new Date()): Date {
  return new Date(now.getTime() + probeMinutesMax * 60_000);
}

/** Stores what a worker is to check, and returns its id. `input` holds no secret. */
export async function insertProbe(
  db: Db,
  input: { environment: Environment; kind: ProbeKind; connectionId: string; input: JsonObject },
): Promise<string> {
  const id = uuidv7();
  await db.insert(probes).values({ ...input, id, expiresAt: probeExpiry() });
  return id;
}

/** @throws Failure `not_found` when it is not there or has lapsed. */
export async function getProbe(
  db: Db,
  input: { environment: Environment; id: string },
): Promise<ProbeRecord> {
  const isIt = and(
    isUuid(input.id) ? eq(probes.id, input.id) : sql`false`,
    eq(probes.environment, input.environment),
    sql`${probes.expiresAt} > now()`,
  );
  const [probe] = await db.select().from(probes).where(isIt);
  if (!probe) throw new Failure('not_found', `There is no probe ${input.id}.`);
  return probe;
}

/** Keeps the first result; a second run changes nothing. @returns whether it was the first */
export async function finishProbe(
  db: Db,
  input: { environment: Environment; id: string; result: ProbeReport },
): Promise<boolean> {
  const finished = await db
    .update(probes)
    .set({ result: input.result, finishedAt: sql`now()` })
    .where(
      and(
        eq(probes.id, input.id),
        eq(probes.environment, input.environment),
        isNull(probes.finishedAt),
      ),
    )
    .returning({ id: probes.id });
  return finished.length > 0;
}

/** Removes a probe that has been answered, and the connection with it where that was never saved. */
export async function discardProbe(
  db: Db,
  input: { environment: Environment; id: string },
): Promise<void> {
  const isIt = and(eq(probes.id, input.id), eq(probes.environment, input.environment));
  const [gone] = await db
    .delete(probes)
    .where(isIt)
    .returning({ connectionId: probes.connectionId });
  if (!gone) return;
  await db
    .delete(connections)
    .where(and(eq(connections.id, gone.connectionId), isNotNull(connections.expiresAt)));
}

/** Removes lapsed probes. Returns how many. */
export async function purgeLapsedProbes(db: Db): Promise<number> {
  const result = await db.delete(probes).where(sql`${probes.expiresAt} < now()`);
  return result.rowCount ?? 0;
}
