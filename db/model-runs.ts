import { and, eq, gt, inArray, isNotNull, sql } from 'drizzle-orm';
import { Failure } from '../domain/failure.ts';
import type { InstantText } from '../domain/instant.ts';
import type { LandedTable } from '../domain/load.ts';
import type { ModelDefinition } from '../domain/model.ts';
import type { StoredPlan } from '../domain/plan.ts';
import type { Environment, ModelStatus, TransferTrigger } from '../domain/statuses.ts';
import type { ModelRef } from '../domain/steps.ts';
import type { Db } from './database.ts';
import { destinations, modelRevisions, modelStates } from './schema.ts';
import { transferModels, transfers } from './transfer-schema.ts';

/** One model of one transfer, with all that was frozen for it. */
export interface ModelRun extends ModelRef {
  readonly environment: Environment;
  readonly destinationId: string;
  readonly trigger: TransferTrigger;
  readonly modelName: string;
  readonly revisionId: string;
  readonly definition: ModelDefinition;
  readonly sourceId: string;
  readonly sourceConnectionId: string;
  /** Of the recipient, instead of the login of the connection. */
  readonly sourceCredentialId: string | undefined;
  readonly destinationConnectionId: string;
  readonly tenantId: string;
  readonly startBoundEpoch: number | undefined;
  readonly isFullRefresh: boolean;
  readonly windowAfter: InstantText | undefined;
  readonly windowUpTo: InstantText | undefined;
  readonly startedAtMicros: number;
  readonly status: ModelStatus;
  /** Rows counted so far. */
  readonly rows: number;
  readonly plan: StoredPlan | undefined;
}

/** @throws Failure `snapshot_missing` when the transfer was not frozen or not opened. */
export async function getModelRun(db: Db, ref: ModelRef): Promise<ModelRun> {
  const [row] = await db
    .select({
      environment: transfers.environment,
      destinationId: transfers.destinationId,
      trigger: transfers.trigger,
      modelName: transferModels.modelName,
      revisionId: transferModels.revisionId,
      definition: modelRevisions.definition,
      sourceId: transferModels.sourceId,
      sourceConnectionId: transferModels.sourceConnectionId,
      sourceCredentialId: transferModels.sourceCredentialId,
      destinationConnectionId: transfers.destinationConnectionId,
      tenantId: transfers.tenantId,
      startBoundEpoch: transfers.startBoundEpoch,
      isFullRefresh: transfers.isFullRefresh,
      windowAfter: transfers.startWindowAt,
      windowUpTo: transfers.endWindowAt,
      startedAtMicros: sql<string>`(extract(epoch from ${transfers.startedAt}) * 1000000)::bigint`,
      status: transferModels.status,
      rows: transferModels.rows,
      plan: transferModels.plan,
    })
    .from(transferModels)
    .innerJoin(transfers, eq(transfers.id, transferModels.transferId))
    .innerJoin(modelRevisions, eq(modelRevisions.id, transferModels.revisionId))
    .where(isRun(ref));
  if (
    row === undefined ||
    row.sourceConnectionId === null ||
    row.destinationConnectionId === null
  ) {
    throw new Failure('snapshot_missing', 'The models of this transfer were not frozen with it.');
  }
  const { sourceConnectionId, destinationConnectionId } = row;
  return {
    ...ref,
    ...row,
    sourceConnectionId,
    destinationConnectionId,
    sourceCredentialId: row.sourceCredentialId ?? undefined,
    startBoundEpoch: row.startBoundEpoch ?? undefined,
    windowAfter: row.windowAfter ?? undefined,
    windowUpTo: row.windowUpTo ?? undefined,
    startedAtMicros: Number(row.startedAtMicros),
    plan: row.plan ?? undefined,
  };
}

/** Whether a later revision of the model has begun to land there. Ids of revisions grow with time. */
export async function hasLaterRevision(db: Db, run: ModelRun): Promise<boolean> {
  const rows = await db
    .select({ id: transfers.id })
    .from(transferModels)
    .innerJoin(transfers, eq(transfers.id, transferModels.transferId))
    .where(
      and(
        eq(transfers.destinationId, run.destinationId),
        eq(transferModels.modelId, run.modelId),
        gt(transferModels.revisionId, run.revisionId),
        isNotNull(transferModels.startedAt),
      ),
    )
    .limit(1);
  return rows.length > 0;
}

/**
 * Keeps the plan unless one is there already: the first one made is the one all attempts go by.
 * @throws Failure `fenced` where the run has ended, as an attempt that was frozen meanwhile finds it
 */
export async function keepPlan(db: Db, ref: ModelRef, plan: StoredPlan): Promise<StoredPlan> {
  const { decision, fence } = plan;
  const [kept] = await db
    .update(transferModels)
    .set({
      status: 'RUNNING',
      startedAt: sql`coalesce(${transferModels.startedAt}, now())`,
      plan: sql`coalesce(${transferModels.plan}, ${JSON.stringify(plan)}::jsonb)`,
      guarantee: {
        guarantee: fence.guarantee,
        reason: fence.reason ?? null,
        grant: fence.grant ?? null,
      },
      windowAfter: decision.window.after ?? null,
      windowUpTo: decision.window.upTo ?? null,
    })
    .where(and(isRun(ref), isOpen))
    .returning({ plan: transferModels.plan });
  if (kept === undefined) throw new Failure('fenced', 'This model has ended meanwhile.');
  return kept.plan ?? plan;
}

/** What one committed batch adds to the figures of a run. */
export interface BatchCount {
  readonly rows: number;
  readonly deltaRows: number;
  readonly rowsChanged: number;
  readonly bytes: number;
  readonly mostRecentAt: InstantText | undefined;
}

/** Adds committed batches, and forgets the failures before them: something moved. */
export async function addCounts(db: Db, ref: ModelRef, count: BatchCount): Promise<void> {
  await db
    .update(transferModels)
    .set({
      rows: sql`${transferModels.rows} + ${count.rows}`,
      deltaRows: sql`${transferModels.deltaRows} + ${count.deltaRows}`,
      rowsChanged: sql`${transferModels.rowsChanged} + ${count.rowsChanged}`,
      bytes: sql`${transferModels.bytes} + ${count.bytes}`,
      ...(count.mostRecentAt === undefined ? {} : { mostRecentAt: count.mostRecentAt }),
      failuresSinceCommit: 0,
      failingSince: null,
    })
    .where(isRun(ref));
}

/** The destination's own count stands where a killed worker could not report its last batch. */
export async function correctRows(db: Db, ref: ModelRef, rows: number): Promise<void> {
  await db.update(transferModels).set({ rows }).where(isRun(ref));
}

/** Counts one more transient failure since the last committed batch. */
export async function countFailure(
  db: Db,
  ref: ModelRef,
): Promise<{ failures: number; minutes: number } | undefined> {
  const [row] = await db
    .update(transferModels)
    .set({
      failuresSinceCommit: sql`${transferModels.failuresSinceCommit} + 1`,
      failingSince: sql`coalesce(${transferModels.failingSince}, now())`,
    })
    .where(isRun(ref))
    .returning({
      failures: transferModels.failuresSinceCommit,
      minutes: sql<number>`extract(epoch from now() - ${transferModels.failingSince})::float8 / 60`,
    });
  return row;
}

export interface ModelSuccess {
  readonly run: ModelRun;
  readonly watermark: InstantText | undefined;
  readonly table: LandedTable;
}

/** The model has landed: its status, and our copy of what the destination now says. */
export async function recordSuccess(
  db: Db,
  { run, watermark, table }: ModelSuccess,
): Promise<void> {
  await db.transaction(async (tx) => {
    const recorded = await tx
      .update(transferModels)
      .set({ status: 'SUCCESS', error: null, endedAt: sql`now()` })
      .where(and(isRun(run), isOpen))
      .returning({ startedAt: transferModels.startedAt });
    const [ended] = recorded;
    if (ended === undefined) return;
    const { destinationId, modelId } = run;
    const guarantee = run.plan?.fence.guarantee;
    const state = {
      watermark: watermark ?? null,
      guarantee: guarantee === undefined ? null : { guarantee },
      appliedTable: table,
      // The start of the run, not its end: what committed meanwhile is the next one's.
      ...(run.windowUpTo === undefined && { currentAsOf: ended.startedAt }),
      updatedAt: sql`now()`,
    };
    await tx
      .insert(modelStates)
      .values({ destinationId, modelId, ...state })
      .onConflictDoUpdate({ target: [modelStates.destinationId, modelStates.modelId], set: state });
  });
}

/** Whether an owner named by a destination's table is a destination of ours that was deleted since. */
export async function isDestinationGone(
  db: Db,
  input: { environment: Environment; destinationId: string },
): Promise<boolean> {
  const [row] = await db
    .select({ deletedAt: destinations.deletedAt })
    .from(destinations)
    .where(
      and(
        sql`${destinations.id}::text = ${input.destinationId}`,
        eq(destinations.environment, input.environment),
      ),
    );
  return row !== undefined && row.deletedAt !== null;
}

/** An end that is on record stands. */
const isOpen = inArray(transferModels.status, ['PENDING', 'RUNNING']);

function isRun({ transferId, modelId }: ModelRef) {
  return and(eq(transferModels.transferId, transferId), eq(transferModels.modelId, modelId));
}
