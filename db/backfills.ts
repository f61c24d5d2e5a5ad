import { and, eq, isNotNull, isNull, ne, notExists, or, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import { Failure } from '../domain/failure.ts';
import { later, type InstantText } from '../domain/instant.ts';
import { backfills } from './backfill-schema.ts';
import type { Db } from './database.ts';
import type { ModelRun } from './model-runs.ts';
import { submitTransfer } from './submit-transfer.ts';
import { transferModels, transfers } from './transfer-schema.ts';

// Filling new columns in rows that had landed before: what is to be done, and the transfers that do it.
// Each of those is an ordinary one with a window, so it survives what any transfer does.

/** To be asked for before the columns are added, or a kill would lose it. One that runs begins anew. */
export async function requestBackfill(
  db: Db,
  { run, columns, upTo }: { run: ModelRun; columns: readonly string[]; upTo: InstantText },
): Promise<void> {
  const { destinationId, modelId } = run;
  await db
    .insert(backfills)
    .values({ destinationId, modelId, columns: [...columns], upTo })
    .onConflictDoUpdate({
      target: [backfills.destinationId, backfills.modelId],
      set: {
        columns: sql`array(select distinct unnest(${backfills.columns} || excluded.columns) order by 1)`,
        upTo,
        reached: null,
        transferId: null,
        requestedAt: sql`now()`,
      },
    });
}

/**
 * After a model has landed: forgets what is filled now, and submits the transfer that fills the next part,
 * where none is under way. One that failed, expired or was lost is followed by another; one that somebody
 * cancelled is not. Run again, it finds what it did. Nearly always there is nothing to fill, which takes one
 * look: what would be is asked for by this model's own earlier step.
 * @returns the transfer that it submitted
 */
export async function continueBackfill(
  db: Db,
  { run, isFilled }: { run: ModelRun; isFilled: boolean },
): Promise<string | undefined> {
  const [any] = await db.select({ modelId: backfills.modelId }).from(backfills).where(isOf(run));
  if (any === undefined) return undefined;
  return await db.transaction(async (tx) => {
    const [wanted] = await tx.select().from(backfills).where(isOf(run)).for('update');
    if (wanted === undefined) return undefined;
    if (isFilled && (run.trigger !== 'backfill' || wanted.transferId === run.transferId)) {
      await tx.delete(backfills).where(isOf(run));
      return undefined;
    }
    const last = await readLast(tx, { run, transferId: wanted.transferId });
    if (last?.status === 'PENDING' || last?.status === 'CANCELLED') return undefined;
    if (last?.status === 'RUNNING' && last.id !== run.transferId) return undefined;
    const reached = later(wanted.reached ?? undefined, last?.reached ?? undefined);
    const transferId = await submitNext(tx, { run, reached, upTo: wanted.upTo });
    if (transferId === undefined) return undefined;
    await tx
      .update(backfills)
      .set({ transferId, reached: reached ?? null })
      .where(isOf(run));
    return transferId;
  });
}

/** Rows arrive in the order of their last-modified values, so the latest says how far it came. */
async function readLast(tx: Db, { run, transferId }: { run: ModelRun; transferId: string | null }) {
  if (transferId === null) return undefined;
  const [last] = await tx
    .select({
      id: transfers.id,
      status: transfers.status,
      reached: transferModels.mostRecentAt,
    })
    .from(transfers)
    .innerJoin(transferModels, eq(transferModels.transferId, transfers.id))
    .where(and(eq(transfers.id, transferId), eq(transferModels.modelId, run.modelId)));
  return last;
}

/** Undefined where the destination or the model is disabled: the next transfer that lands asks again. */
async function submitNext(
  tx: Db,
  { run, reached, upTo }: { run: ModelRun; reached: InstantText | undefined; upTo: InstantText },
): Promise<string | undefined> {
  const { environment, destinationId, modelName } = run;
  try {
    const { transferId } = await submitTransfer(tx, {
      environment,
      destinationId,
      trigger: 'backfill',
      models: [modelName],
      startWindowAt: reached,
      endWindowAt: upTo,
      actor: { id: '', type: 'unknown' },
    });
    return transferId;
  } catch (error) {
    const kinds = ['conflict', 'invalid', 'not_found'];
    if (error instanceof Failure && kinds.includes(error.kind)) return undefined;
    throw error;
  }
}

function isOf({ destinationId, modelId }: Pick<ModelRun, 'destinationId' | 'modelId'>) {
  return and(eq(backfills.destinationId, destinationId), eq(backfills.modelId, modelId));
}

/**
 * Whether a transfer that is no backfill waits for what this one holds: its turn at the destination, or a
 * slot of the environment. That is where its queue let it wait, although nothing runs there.
 */
export async function isAnyoneWaiting(db: Db, run: ModelRun): Promise<boolean> {
  const others = alias(transfers, 'others');
  const waits = and(
    eq(transfers.environment, run.environment),
    eq(transfers.status, 'PENDING'),
    isNull(transfers.endedAt),
    isNull(transfers.admittedAt),
    ne(transfers.trigger, 'backfill'),
  );
  const holds = db
    .select({ id: others.id })
    .from(others)
    .where(
      and(
        eq(others.destinationId, transfers.destinationId),
        isNull(others.endedAt),
        isNotNull(others.admittedAt),
      ),
    );
  const waitsForSlot = and(
    sql`${transfers.enqueuedAt} < now() - interval '1 second'`,
    notExists(holds),
  );
  const rows = await db
    .select({ id: transfers.id })
    .from(transfers)
    .where(and(waits, or(eq(transfers.destinationId, run.destinationId), waitsForSlot)))
    .limit(1);
  return rows.length > 0;
}
