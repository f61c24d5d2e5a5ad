import { and, asc, eq, inArray, isNull, lt, sql } from 'drizzle-orm';
import { Failure, type ErrorObject } from '../domain/failure.ts';
import type { Comparison, ComparisonResult } from '../domain/integrity.ts';
import type { Window } from '../domain/load.ts';
import type { ModelDefinition } from '../domain/model.ts';
import type { Environment, ModelStatus } from '../domain/statuses.ts';
import type { IntegrityModelRef } from '../domain/steps.ts';
import type { Db } from './database.ts';
import { currentConnection, currentEnds } from './frozen-model.ts';
import { integrityJobs, integrityModels } from './integrity-schema.ts';
import { modelRevisions, modelStates, sources } from './schema.ts';

// What the workflow of a data integrity job writes. Ids come from the job's own row, so these verbs carry no
// environment.

/** PENDING becomes RUNNING once, on the connections of that moment. @returns the models left to compare */
export async function openIntegrityJob(db: Db, jobId: string): Promise<string[]> {
  return await db.transaction(async (tx) => {
    const opened = await tx
      .update(integrityJobs)
      .set({
        status: 'RUNNING',
        startedAt: sql`clock_timestamp()`,
        destinationConnectionId: currentConnection(integrityJobs.destinationId),
      })
      .where(and(eq(integrityJobs.id, jobId), eq(integrityJobs.status, 'PENDING')))
      .returning({ id: integrityJobs.id });
    if (opened.length > 0) {
      await tx
        .update(integrityModels)
        .set(currentEnds(integrityModels, { table: integrityJobs, id: integrityModels.jobId }))
        .from(sources)
        .where(and(eq(sources.id, integrityModels.sourceId), eq(integrityModels.jobId, jobId)));
    }
    const rows = await tx
      .select({ modelId: integrityModels.modelId })
      .from(integrityModels)
      .innerJoin(integrityJobs, eq(integrityJobs.id, integrityModels.jobId))
      .where(and(eq(integrityJobs.id, jobId), eq(integrityJobs.status, 'RUNNING')))
      .orderBy(asc(integrityModels.position));
    return rows.map(({ modelId }) => modelId);
  });
}

/** One model of one job, with all that was frozen for it. */
export interface ComparisonRun extends IntegrityModelRef {
  readonly environment: Environment;
  readonly destinationId: string;
  readonly definition: ModelDefinition;
  readonly modelName: string;
  readonly sourceId: string;
  readonly sourceConnectionId: string;
  readonly sourceCredentialId: string | undefined;
  readonly destinationConnectionId: string;
  readonly tenantId: string;
  readonly window: Window;
  readonly sampleKeys: readonly string[];
  readonly removesOrphans: boolean;
  readonly status: ModelStatus;
  /** Whether the last load of the model could be sure of late commits. */
  readonly isCommitSafe: boolean;
  readonly comparison: Comparison | undefined;
}

/** @throws Failure `snapshot_missing` when the job was not opened */
export async function getComparisonRun(db: Db, ref: IntegrityModelRef): Promise<ComparisonRun> {
  const [row] = await db
    .select({
      job: integrityJobs,
      model: integrityModels,
      definition: modelRevisions.definition,
      guarantee: modelStates.guarantee,
    })
    .from(integrityModels)
    .innerJoin(integrityJobs, eq(integrityJobs.id, integrityModels.jobId))
    .innerJoin(modelRevisions, eq(modelRevisions.id, integrityModels.revisionId))
    .leftJoin(
      modelStates,
      and(
        eq(modelStates.modelId, integrityModels.modelId),
        eq(modelStates.destinationId, integrityJobs.destinationId),
      ),
    )
    .where(isModel(ref));
  const sourceConnectionId = row?.model.sourceConnectionId ?? undefined;
  const destinationConnectionId = row?.job.destinationConnectionId ?? undefined;
  if (
    row === undefined ||
    sourceConnectionId === undefined ||
    destinationConnectionId === undefined
  )
    throw new Failure('snapshot_missing', 'This data integrity job was not opened.');
  const { job, model, definition, guarantee } = row;
  return {
    ...ref,
    environment: job.environment,
    destinationId: job.destinationId,
    definition,
    modelName: model.modelName,
    sourceId: model.sourceId,
    sourceConnectionId,
    destinationConnectionId,
    sourceCredentialId: model.sourceCredentialId ?? undefined,
    tenantId: job.tenantId,
    window: { after: job.startWindowAt ?? undefined, upTo: job.endWindowAt ?? undefined },
    sampleKeys: model.sampleKeys,
    removesOrphans: job.repairsJobId !== null,
    status: model.status,
    isCommitSafe: guarantee?.['guarantee'] === 'commit_safe',
    comparison: model.comparison ?? undefined,
  };
}

/** Keeps how far the comparison has come, so that another attempt goes on from there. */
export async function keepComparison(
  db: Db,
  ref: IntegrityModelRef,
  comparison: Comparison,
): Promise<void> {
  await db
    .update(integrityModels)
    .set({ status: 'RUNNING', comparison })
    .where(and(isModel(ref), isOpen));
}

export async function recordComparison(
  db: Db,
  ref: IntegrityModelRef,
  result: ComparisonResult,
): Promise<void> {
  await db
    .update(integrityModels)
    .set({ status: 'SUCCESS', result, comparison: null })
    .where(and(isModel(ref), isOpen));
}

/** An end that is on record stands. */
const isOpen = inArray(integrityModels.status, ['PENDING', 'RUNNING']);

function isModel({ jobId, modelId }: IntegrityModelRef) {
  return and(eq(integrityModels.jobId, jobId), eq(integrityModels.modelId, modelId));
}

export interface IntegrityEnd {
  readonly jobId: string;
  /** Errors by model id. */
  readonly errors: ReadonlyMap<string, ErrorObject>;
  readonly isCancelled: boolean;
}

/** Ends a job that has not ended; models that have not reported are cancelled or failed. */
export async function endIntegrityJob(db: Db, end: IntegrityEnd): Promise<void> {
  const { jobId, errors, isCancelled } = end;
  await db.transaction(async (tx) => {
    for (const [modelId, error] of errors) {
      await tx
        .update(integrityModels)
        .set({ status: 'ERROR', error })
        .where(and(isModel({ jobId, modelId }), isOpen));
    }
    await tx
      .update(integrityModels)
      .set({ status: 'CANCELLED' })
      .where(and(eq(integrityModels.jobId, jobId), isOpen));
    const failed = errors.size > 0 ? 'ERROR' : 'SUCCESS';
    await tx
      .update(integrityJobs)
      .set({ status: isCancelled ? 'CANCELLED' : failed, endedAt: sql`clock_timestamp()` })
      .where(and(eq(integrityJobs.id, jobId), isNull(integrityJobs.endedAt)));
  });
}

const lostMax = 100;

/** Jobs that have not ended and are older than a healthy hand-over takes. In no order. */
export async function listOpenIntegrityJobs(
  db: Db,
  olderThanSeconds: number,
): Promise<{ id: string; isRunning: boolean; isCancelRequested: boolean }[]> {
  return await db
    .select({
      id: integrityJobs.id,
      isRunning: sql<boolean>`${integrityJobs.status} = 'RUNNING'`,
      isCancelRequested: sql<boolean>`${integrityJobs.cancelRequestedAt} is not null`,
    })
    .from(integrityJobs)
    .where(
      and(
        isNull(integrityJobs.endedAt),
        sql`coalesce(${integrityJobs.startedAt}, ${integrityJobs.submittedAt})
          < clock_timestamp() - make_interval(secs => ${olderThanSeconds})`,
      ),
    )
    .orderBy(sql`random()`)
    .limit(lostMax);
}

/** Removes jobs that ended so many days ago, a bounded number at a time. */
export async function purgeIntegrityJobs(db: Db, days: number): Promise<void> {
  const isOld = lt(integrityJobs.endedAt, sql`now() - make_interval(days => ${days})`);
  await db.transaction(async (tx) => {
    const old = await tx
      .select({ id: integrityJobs.id })
      .from(integrityJobs)
      .where(isOld)
      .limit(1000);
    const ids = old.map(({ id }) => id);
    if (ids.length === 0) return;
    await tx.delete(integrityModels).where(inArray(integrityModels.jobId, ids));
    await tx.delete(integrityJobs).where(inArray(integrityJobs.id, ids));
  });
}
