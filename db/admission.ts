import { and, eq, inArray, isNull, sql } from 'drizzle-orm';
import { admit, type Contender } from '../domain/admission.ts';
import type { Environment } from '../domain/statuses.ts';
import type { Db } from './database.ts';
import { getEnvironmentSettings } from './environment-settings.ts';
import { destinations, sources } from './schema.ts';
import { isBackfill, transfers } from './transfer-schema.ts';

/** So many are looked at for one decision, one of each recipient before the second of any. */
const contendersMax = 200;

/**
 * Gives slots of the environment to those of the candidates whose turn it is, and writes that down. One
 * decision at a time for each environment, so that no cap is passed however many ask.
 * @param candidates transfers of the destination that its own rules let start
 * @returns the ids of those that may start
 */
export async function admitTransfers(
  db: Db,
  { destinationId, candidates }: { destinationId: string; candidates: readonly string[] },
): Promise<string[]> {
  if (candidates.length === 0) return [];
  return await db.transaction(async (tx) => {
    const [destination] = await tx
      .select({ environment: destinations.environment })
      .from(destinations)
      .where(eq(destinations.id, destinationId));
    if (destination === undefined) return [];
    const { environment } = destination;
    const lock = `waybill slots ${environment}`;
    await tx.execute(/*sql*/ sql`select pg_advisory_xact_lock(hashtextextended(${lock}, 0))`);
    const line = await readLine(tx, environment);
    const admitted = line.map(({ id }) => id).filter((id) => candidates.includes(id));
    if (admitted.length > 0) {
      await tx
        .update(transfers)
        .set({ admittedAt: sql`clock_timestamp()` })
        .where(and(inArray(transfers.id, admitted), isNull(transfers.admittedAt)));
    }
    return admitted;
  });
}

export interface InLine {
  readonly id: string;
  readonly destinationId: string;
}

/** Whose turn it is, of all that wait in the environment, as far as there are slots. */
export async function readLine(db: Db, environment: Environment): Promise<InLine[]> {
  // Most often nobody waits, and this runs at the end of every transfer.
  if (!(await doesAnyWait(db, environment))) return [];
  const { maxConcurrentTransfers } = await getEnvironmentSettings(db, environment);
  const taken = await readTaken(db, environment);
  if (taken.length >= maxConcurrentTransfers) return [];
  const waiting = await readWaiting(db, environment);
  const admitted = admit(waiting, {
    environmentMax: maxConcurrentTransfers,
    sourceMax: await readSourceCaps(db, environment),
    taken,
    lastServedAt: new Map(
      waiting.flatMap(({ recipientId, servedAt }) => (servedAt ? [[recipientId, servedAt]] : [])),
    ),
  });
  const destinationOf = new Map(waiting.map(({ id, destinationId }) => [id, destinationId]));
  return admitted.map((id) => ({ id, destinationId: destinationOf.get(id) ?? '' }));
}

async function doesAnyWait(db: Db, environment: Environment): Promise<boolean> {
  const rows = await db
    .select({ id: transfers.id })
    .from(transfers)
    .where(isWaiting(environment))
    .limit(1);
  return rows.length > 0;
}

function isWaiting(environment: Environment) {
  return and(
    eq(transfers.environment, environment),
    eq(transfers.status, 'PENDING'),
    isNull(transfers.endedAt),
    isNull(transfers.admittedAt),
  );
}

const sourceIds = sql<string[]>`array(
  select distinct m.source_id::text from transfer_models as m where m.transfer_id = ${transfers.id})`;

async function readTaken(db: Db, environment: Environment): Promise<Contender[]> {
  return await db
    .select({
      id: transfers.id,
      recipientId: transfers.recipientId,
      submittedAt: transfers.submittedAt,
      sourceIds,
      isBackfill,
    })
    .from(transfers)
    .where(
      and(
        eq(transfers.environment, environment),
        isNull(transfers.endedAt),
        sql`${transfers.admittedAt} is not null`,
      ),
    );
}

interface Waiting extends Contender {
  readonly destinationId: string;
  readonly servedAt: Date | null;
}

/** The oldest that waits at each destination which has room for one more. */
async function readWaiting(db: Db, environment: Environment): Promise<Waiting[]> {
  const heads = db.$with('heads').as(
    db
      .selectDistinctOn([transfers.destinationId], {
        id: transfers.id,
        destinationId: transfers.destinationId,
        recipientId: transfers.recipientId,
        submittedAt: transfers.submittedAt,
        sourceIds: sourceIds.as('source_ids'),
        isBackfill: isBackfill.as('is_backfill'),
      })
      .from(transfers)
      .innerJoin(destinations, eq(destinations.id, transfers.destinationId))
      .where(
        and(
          isWaiting(environment),
          sql`(select count(*) from transfers as other
            where other.destination_id = ${transfers.destinationId} and other.ended_at is null
              and other.admitted_at is not null) < ${destinations.maxConcurrentTransfers}`,
        ),
      )
      .orderBy(transfers.destinationId, isBackfill, transfers.submittedAt, transfers.id),
  );
  return await db
    .with(heads)
    .select({
      id: heads.id,
      destinationId: heads.destinationId,
      recipientId: heads.recipientId,
      submittedAt: heads.submittedAt,
      sourceIds: heads.sourceIds,
      isBackfill: heads.isBackfill,
      servedAt: sql<Date | null>`(select max(served.admitted_at) from transfers as served
        where served.recipient_id = ${heads.recipientId})`.mapWith(transfers.admittedAt),
    })
    .from(heads)
    .orderBy(
      heads.isBackfill,
      sql`row_number() over (partition by ${heads.recipientId}
        order by ${heads.isBackfill}, ${heads.submittedAt})`,
      heads.submittedAt,
    )
    .limit(contendersMax);
}

async function readSourceCaps(db: Db, environment: Environment): Promise<Map<string, number>> {
  const rows = await db
    .select({ id: sources.id, max: sources.maxConcurrentTransfers })
    .from(sources)
    .where(
      and(eq(sources.environment, environment), sql`${sources.maxConcurrentTransfers} is not null`),
    );
  return new Map(rows.flatMap(({ id, max }) => (max === null ? [] : [[id, max]])));
}
