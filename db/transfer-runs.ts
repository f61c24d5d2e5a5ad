import { and, asc, eq, inArray, isNull, sql } from 'drizzle-orm';
import type { ErrorObject } from '../domain/failure.ts';
import { transferNotice } from '../domain/notices.ts';
import type {
  Environment,
  ModelEnd,
  ModelStatus,
  TransferStatus,
  TransferTrigger,
} from '../domain/statuses.ts';
import type { QueuedTransfer, QueueState } from '../domain/transfer-queue.ts';
import type { Db } from './database.ts';
import { currentConnection, currentEnds } from './frozen-model.ts';
import { destinations, sources } from './schema.ts';
import { isBackfill, transferModels, transfers } from './transfer-schema.ts';
import { countOutcome } from './destination-health.ts';
import { recordNotice } from './notices.ts';
import { recordTraces } from './traces.ts';
import { appendLog } from './transfer-log.ts';

// What the workflows write: a transfer from the queue to its end. Ids come from the transfer's own row,
// so these verbs carry no environment.

export interface WaitingTransfer extends QueuedTransfer {
  readonly recipientId: string;
  readonly trigger: TransferTrigger;
  readonly requestId: string | null;
  readonly modelNames: readonly string[];
  /** It has been given a slot: it may start, or is about to. */
  readonly isAdmitted: boolean;
}

export interface DestinationQueue extends Omit<QueueState, 'waiting'> {
  readonly waiting: readonly WaitingTransfer[];
  /** Wait, but have a slot: a start that was lost is made again. */
  readonly admitted: readonly WaitingTransfer[];
  readonly vendor: string;
}

/** What waits and runs at a destination. Marks the waiting ones as taken by a queue. */
export async function readQueue(db: Db, destinationId: string): Promise<DestinationQueue> {
  const [destination] = await db
    .select({ vendor: destinations.vendor, concurrencyMax: destinations.maxConcurrentTransfers })
    .from(destinations)
    .where(eq(destinations.id, destinationId));
  const rows = await db
    .select({
      id: transfers.id,
      status: transfers.status,
      submittedAt: transfers.submittedAt,
      recipientId: transfers.recipientId,
      trigger: transfers.trigger,
      isBackfill,
      requestId: transfers.requestId,
      isAdmitted: sql<boolean>`${transfers.admittedAt} is not null`,
      modelIds: sql<
        string[]
      >`array_agg(${transferModels.modelId} order by ${transferModels.position})`,
      modelNames: sql<
        string[]
      >`array_agg(${transferModels.modelName} order by ${transferModels.position})`,
    })
    .from(transfers)
    .innerJoin(transferModels, eq(transferModels.transferId, transfers.id))
    .where(and(eq(transfers.destinationId, destinationId), isNull(transfers.endedAt)))
    .groupBy(transfers.id);
  const waiting = rows.filter(({ status }) => status === 'PENDING');
  await markEnqueued(
    db,
    waiting.map(({ id }) => id),
  );
  const admitted = waiting.filter(({ isAdmitted }) => isAdmitted);
  return {
    waiting: waiting.filter(({ isAdmitted }) => !isAdmitted),
    admitted,
    running: [...rows.filter(({ status }) => status === 'RUNNING'), ...admitted],
    concurrencyMax: destination?.concurrencyMax ?? 1,
    vendor: destination?.vendor ?? '',
  };
}

async function markEnqueued(db: Db, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await db
    .update(transfers)
    .set({ enqueuedAt: sql`now()` })
    .where(and(inArray(transfers.id, [...ids]), isNull(transfers.enqueuedAt)));
}

export interface TransferRun {
  readonly destinationId: string;
  readonly modelsAtOnce: number;
  readonly models: readonly { modelId: string; modelName: string }[];
  /** Models without a frozen revision cannot be run. */
  readonly isFirstOpening: boolean;
}

/**
 * PENDING → RUNNING, and the connection revisions it will run on. Undefined when it is not this
 * workflow's to run: cancelled meanwhile, or run before. Opening it twice from one workflow is one opening.
 */
export async function openTransferRow(
  db: Db,
  input: { transferId: string; workflowRunId: string },
): Promise<TransferRun | undefined> {
  const { transferId, workflowRunId } = input;
  return db.transaction(async (tx) => {
    const [opened] = await tx
      .update(transfers)
      .set({
        status: 'RUNNING',
        workflowRunId,
        admittedAt: sql`coalesce(${transfers.admittedAt}, clock_timestamp())`,
        startedAt: nextStart,
        destinationConnectionId: currentConnection(transfers.destinationId),
      })
      .where(and(eq(transfers.id, transferId), eq(transfers.status, 'PENDING')))
      .returning({ environment: transfers.environment });
    if (opened !== undefined) {
      await chooseSourceConnections(tx, transferId);
      const { environment } = opened;
      await recordNotice(tx, { environment, type: 'transfer.started', resourceId: transferId });
    }
    return readRun(tx, { ...input, isFirstOpening: opened !== undefined });
  });
}

/**
 * Later than every start before it at the destination, even where our clock went back: it ranks the
 * epochs.
 */
const nextStart = sql`greatest(clock_timestamp(), (
  select max(earlier.started_at) + interval '1 microsecond' from transfers as earlier
  where earlier.destination_id = ${transfers.destinationId}))`;

async function chooseSourceConnections(db: Db, transferId: string): Promise<void> {
  await db
    .update(transferModels)
    .set(currentEnds(transferModels, { table: transfers, id: transferModels.transferId }))
    .from(sources)
    .where(and(eq(sources.id, transferModels.sourceId), eq(transferModels.transferId, transferId)));
}

async function readRun(
  db: Db,
  input: { transferId: string; workflowRunId: string; isFirstOpening: boolean },
): Promise<TransferRun | undefined> {
  const models = await db
    .select({
      modelId: transferModels.modelId,
      modelName: transferModels.modelName,
      destinationId: transfers.destinationId,
      modelsAtOnce: destinations.maxConcurrentQueriesPerTransfer,
    })
    .from(transferModels)
    .innerJoin(transfers, eq(transfers.id, transferModels.transferId))
    .innerJoin(destinations, eq(destinations.id, transfers.destinationId))
    .where(
      and(
        eq(transfers.id, input.transferId),
        eq(transfers.status, 'RUNNING'),
        eq(transfers.workflowRunId, input.workflowRunId),
      ),
    )
    .orderBy(asc(transferModels.position));
  const [first] = models;
  if (first === undefined) return undefined;
  const { destinationId, modelsAtOnce } = first;
  return { destinationId, modelsAtOnce, models, isFirstOpening: input.isFirstOpening };
}

/**
 * Writes and logs how models ended, where they have not reported it themselves.
 * @returns the status of each
 */
export async function closeModels(
  db: Db,
  transferId: string,
  outcomes: ReadonlyMap<string, { status: ModelStatus; error: ErrorObject | undefined }>,
): Promise<ModelEnd[]> {
  const models = await db
    .select()
    .from(transferModels)
    .where(eq(transferModels.transferId, transferId))
    .for('update');
  const ends: ModelEnd[] = [];
  for (const { modelId, modelName, status, plan, rows } of models) {
    const outcome = outcomes.get(modelId) ?? { status: 'CANCELLED', error: undefined };
    const isOpen = status === 'PENDING' || status === 'RUNNING';
    const isSplit = plan?.windowSeconds !== undefined && plan.decision.mode === 'merge';
    ends.push({ status: isOpen ? outcome.status : status, hasWindows: isSplit && rows > 0 });
    if (!isOpen) continue;
    await db
      .update(transferModels)
      .set({ status: outcome.status, error: outcome.error ?? null, endedAt: sql`now()` })
      .where(and(eq(transferModels.transferId, transferId), eq(transferModels.modelId, modelId)));
    const { error } = outcome;
    if (error === undefined) continue;
    const line = `${modelName}: failed (${error.error_code}). ${error.message}`;
    await appendLog(db, { transferId, line });
  }
  return ends;
}

/**
 * Gives a transfer its final status where it has the expected one, and its models with it.
 * @returns whether it did; not where another end was on record already
 */
export async function endTransfer(
  db: Db,
  input: {
    transferId: string;
    from: TransferStatus;
    status: TransferStatus;
    error: ErrorObject | undefined;
  },
): Promise<boolean> {
  const [ended] = await db
    .update(transfers)
    .set({
      status: input.status,
      error: input.error ?? null,
      endedAt: sql`clock_timestamp()`,
      isPaused: false,
    })
    .where(and(eq(transfers.id, input.transferId), eq(transfers.status, input.from)))
    .returning({
      environment: transfers.environment,
      destinationId: transfers.destinationId,
      endedAt: transfers.endedAt,
    });
  if (ended === undefined) return false;
  await recordNotice(db, {
    environment: ended.environment,
    type: transferNotice(input.status),
    resourceId: input.transferId,
  });
  await recordTraces(db, { environment: ended.environment, transferId: input.transferId });
  await countOutcome(db, { ...ended, status: input.status });
  return true;
}

/** The transfer that has waited longest at the destination of the given one, to be rung for. */
export async function findWaitingBeside(
  db: Db,
  transferId: string,
): Promise<{ id: string; destinationId: string } | undefined> {
  const [waiting] = await db
    .select({ id: transfers.id, destinationId: transfers.destinationId })
    .from(transfers)
    .where(
      and(
        eq(transfers.status, 'PENDING'),
        sql`${transfers.destinationId} =
          (select one.destination_id from transfers as one where one.id = ${transferId})`,
      ),
    )
    .orderBy(asc(isBackfill), asc(transfers.submittedAt))
    .limit(1);
  return waiting;
}

export async function environmentOfTransfer(
  db: Db,
  transferId: string,
): Promise<Environment | undefined> {
  const [found] = await db
    .select({ environment: transfers.environment })
    .from(transfers)
    .where(eq(transfers.id, transferId));
  return found?.environment;
}
