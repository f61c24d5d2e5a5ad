import { and, eq, inArray, isNotNull, isNull, sql } from 'drizzle-orm';
import type { Db } from './database.ts';
import { destinations, models, modelStates } from './schema.ts';

/** How current the copy of one model at one destination is. */
export interface Freshness {
  readonly destinationId: string;
  readonly modelId: string;
  readonly modelName: string;
  /** All that was committed at the source before has landed; null before the first success. */
  readonly currentAsOf: Date | null;
  readonly secondsBehind: number | null;
  readonly watermark: string | null;
}

/** Of every model that ever landed at these destinations and was not deleted since. */
export async function listFreshness(
  db: Db,
  destinationIds: readonly string[],
): Promise<Freshness[]> {
  return await db
    .select({
      destinationId: modelStates.destinationId,
      modelId: modelStates.modelId,
      modelName: models.name,
      currentAsOf: modelStates.currentAsOf,
      secondsBehind: sql<
        number | null
      >`extract(epoch from now() - ${modelStates.currentAsOf})::int`,
      watermark: modelStates.watermark,
    })
    .from(modelStates)
    .innerJoin(models, and(eq(models.id, modelStates.modelId), isNull(models.deletedAt)))
    .where(inArray(modelStates.destinationId, [...destinationIds]))
    .orderBy(models.name);
}

/** What a metric tells of each enabled destination: how old its oldest copy is. */
export async function listLags(
  db: Db,
  max: number,
): Promise<{ destinationId: string; seconds: number }[]> {
  return await db
    .select({
      destinationId: modelStates.destinationId,
      seconds: sql<number>`extract(epoch from now() - min(${modelStates.currentAsOf}))::float`,
    })
    .from(modelStates)
    .innerJoin(destinations, eq(destinations.id, modelStates.destinationId))
    .where(
      and(
        isNull(destinations.deletedAt),
        eq(destinations.isEnabled, true),
        isNotNull(modelStates.currentAsOf),
      ),
    )
    .groupBy(modelStates.destinationId)
    .limit(max);
}

export interface QueueFigures {
  readonly waiting: number;
  readonly running: number;
  /** 0 where nothing waits. */
  readonly oldestWaitSeconds: number;
  readonly staleDestinations: number;
  readonly openDeliveries: number;
}

/** What stands in our tables at this moment, all environments together. */
export async function readFigures(db: Db): Promise<QueueFigures> {
  const result = await db.execute<Record<keyof QueueFigures, number>>(/*sql*/ sql`
    select
      count(*) filter (where status = 'PENDING')::int as "waiting",
      count(*) filter (where status = 'RUNNING')::int as "running",
      coalesce(extract(epoch from now() - min(submitted_at) filter (where status = 'PENDING')), 0)::float
        as "oldestWaitSeconds",
      (select count(*) from destinations where stale_since is not null and deleted_at is null)::int
        as "staleDestinations",
      (select count(*) from deliveries where ended_at is null)::int as "openDeliveries"
    from transfers where ended_at is null`);
  const [row] = result.rows;
  return (
    row ?? { waiting: 0, running: 0, oldestWaitSeconds: 0, staleDestinations: 0, openDeliveries: 0 }
  );
}
