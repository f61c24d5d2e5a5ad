import { and, asc, eq, getColumns, inArray, isNull, sql } from 'drizzle-orm';
import { Failure, type Violation } from '../domain/failure.ts';
import type { InstantText } from '../domain/instant.ts';
import { sharedTableOf } from '../domain/model.ts';
import type { Actor, Environment } from '../domain/statuses.ts';
import { isUuid, uuidv7 } from '../lib/uuid.ts';
import type { Db } from './database.ts';
import { freeze } from './frozen-model.ts';
import { integrityJobs, integrityModels } from './integrity-schema.ts';
import { keyset, pageOf, type Page, type PageRequest } from './paging.ts';
import type { RecipientModel } from './recipient-models.ts';
import { modelRevisions } from './schema.ts';
import { checkWindow, lockDestination, resolveModels } from './submit-transfer.ts';

export type IntegrityModelRecord = typeof integrityModels.$inferSelect;

/** A job with its models, in the order in which they were frozen. */
export type IntegrityJobRecord = typeof integrityJobs.$inferSelect & {
  readonly models: readonly IntegrityModelRecord[];
};

export interface IntegrityRequest {
  readonly environment: Environment;
  readonly destinationId: string;
  /** By name of model, the keys to be looked at one by one. Empty: all models of the destination. */
  readonly models: ReadonlyMap<string, readonly string[]>;
  readonly startWindowAt?: InstantText | undefined;
  readonly endWindowAt?: InstantText | undefined;
  readonly actor: Actor;
}

/**
 * Stores a job with its frozen models and tenant. @returns its id. @throws Failure as `submitTransfer` does;
 * `invalid` for single keys of a model with a composite key
 */
export async function submitIntegrityJob(db: Db, request: IntegrityRequest): Promise<string> {
  const { environment, destinationId, actor } = request;
  checkWindow({ start: request.startWindowAt, end: request.endWindowAt, of: 'integrity' });
  return await db.transaction(async (tx) => {
    const asked = { environment, destinationId, models: [...request.models.keys()] };
    const destination = await lockDestination(tx, asked);
    const models = await resolveModels(tx, { request: asked, destination });
    await checkSampleKeys(tx, models, request.models);
    const id = uuidv7();
    await tx.insert(integrityJobs).values({
      id,
      environment,
      destinationId,
      recipientId: destination.recipientId,
      status: 'PENDING',
      startWindowAt: request.startWindowAt ?? null,
      endWindowAt: request.endWindowAt ?? null,
      actorId: actor.id,
      actorType: actor.type,
      tenantId: destination.tenantId,
    });
    await tx.insert(integrityModels).values(
      freeze(models).map((frozen) => ({
        jobId: id,
        ...frozen,
        status: 'PENDING' as const,
        sampleKeys: [...(request.models.get(frozen.modelName) ?? [])],
      })),
    );
    return id;
  });
}

async function checkSampleKeys(
  tx: Db,
  models: readonly RecipientModel[],
  asked: IntegrityRequest['models'],
): Promise<void> {
  const sampled = models.filter(({ name }) => (asked.get(name) ?? []).length > 0);
  if (sampled.length === 0) return;
  const revisions = await tx
    .select()
    .from(modelRevisions)
    .where(
      inArray(
        modelRevisions.id,
        sampled.map(({ currentRevisionId }) => currentRevisionId),
      ),
    );
  const composite = revisions.filter(({ definition }) => sharedTableOf(definition).key.length > 1);
  const violations = composite.map(({ definition: { model_name: name } }): Violation => {
    const message = `Model ${name} has a key of several columns: leave sample_primary_key_ids out.`;
    return { path: 'models', code: 'composite_key', message };
  });
  const [first] = violations;
  if (first !== undefined) throw new Failure('invalid', first.message, { violations });
}

/**
 * A second look at what a job found, which removes the rows that the source does not have. @returns its id,
 * or nothing where no row of that kind was found
 */
export async function submitRemoval(
  db: Db,
  job: IntegrityJobRecord,
  actor: Actor,
): Promise<string | undefined> {
  const found = job.models.filter(({ result }) => (result?.counts.orphaned ?? 0) > 0);
  if (found.length === 0) return undefined;
  const id = uuidv7();
  await db.transaction(async (tx) => {
    const { environment, destinationId, recipientId, tenantId } = job;
    await tx.insert(integrityJobs).values({
      id,
      ...{ environment, destinationId, recipientId, tenantId },
      status: 'PENDING',
      repairsJobId: job.id,
      actorId: actor.id,
      actorType: actor.type,
    });
    await tx.insert(integrityModels).values(
      found.map(({ result, modelId, modelName, position, revisionId, sourceId }) => ({
        jobId: id,
        ...{ modelId, modelName, position, revisionId, sourceId },
        status: 'PENDING' as const,
        sampleKeys: [],
        comparison: { open: [], leaves: result?.partitions ?? [], level: 0 },
      })),
    );
  });
  return id;
}

interface Which {
  readonly environment: Environment;
  readonly destinationId: string;
}

/** @throws Failure `not_found` */
export async function getIntegrityJob(
  db: Db,
  input: Which & { id: string },
): Promise<IntegrityJobRecord> {
  const isIt = isUuid(input.id) ? eq(integrityJobs.id, input.id) : sql`false`;
  const rows = await db
    .select()
    .from(integrityJobs)
    .where(and(ofDestination(input), isIt));
  const [job] = await withModels(db, rows);
  if (!job) throw new Failure('not_found', `There is no data integrity job ${input.id}.`);
  return job;
}

/** By time of submission. */
export async function listIntegrityJobs(
  db: Db,
  input: Which & { page: PageRequest },
): Promise<Page<IntegrityJobRecord>> {
  const position = keyset(input.page, { at: integrityJobs.submittedAt, id: integrityJobs.id });
  const rows = await db
    .select({ ...getColumns(integrityJobs), sortValue: position.sortValue })
    .from(integrityJobs)
    .where(and(ofDestination(input), position.after))
    .orderBy(...position.orderBy)
    .limit(position.limit);
  const page = pageOf(rows, input.page);
  return { ...page, items: await withModels(db, page.items) };
}

/**
 * Ends a job that waits, marks one that runs; the caller tells its workflow. Asked again, it changes nothing.
 * @throws Failure `not_found`; `conflict` when it has ended
 */
export async function cancelIntegrityJob(
  db: Db,
  input: Which & { id: string },
): Promise<IntegrityJobRecord> {
  return await db.transaction(async (tx) => {
    const { status } = await getIntegrityJob(tx, input);
    if (status !== 'PENDING' && status !== 'RUNNING') {
      throw new Failure('conflict', `Data integrity job ${input.id} has ended: it is ${status}.`);
    }
    await tx
      .update(integrityJobs)
      .set({
        cancelRequestedAt: sql`coalesce(${integrityJobs.cancelRequestedAt}, clock_timestamp())`,
        status: sql`case when ${integrityJobs.status} = 'PENDING' then 'CANCELLED' else ${integrityJobs.status} end`,
        endedAt: sql`case when ${integrityJobs.status} = 'PENDING' then clock_timestamp() end`,
      })
      .where(and(eq(integrityJobs.id, input.id), isNull(integrityJobs.endedAt)));
    return await getIntegrityJob(tx, input);
  });
}

function ofDestination({ environment, destinationId }: Which) {
  return and(
    eq(integrityJobs.environment, environment),
    isUuid(destinationId) ? eq(integrityJobs.destinationId, destinationId) : sql`false`,
  );
}

async function withModels<Row extends { id: string }>(db: Db, jobs: readonly Row[]) {
  if (jobs.length === 0) return [];
  const ids = jobs.map(({ id }) => id);
  const rows = await db
    .select()
    .from(integrityModels)
    .where(inArray(integrityModels.jobId, ids))
    .orderBy(asc(integrityModels.position));
  const byJob = Map.groupBy(rows, (row) => row.jobId);
  return jobs.map((job) => ({ ...job, models: byJob.get(job.id) ?? [] }));
}
