import { and, eq, sql } from 'drizzle-orm';
import { Failure } from '../domain/failure.ts';
import type { Actor } from '../domain/statuses.ts';
import { recordAudit } from './audit.ts';
import type { Db } from './database.ts';
import { transferModels, transfers } from './transfer-schema.ts';
import { recordNotice } from './notices.ts';
import { appendLog } from './transfer-log.ts';
import { getTransfer, type TransferRecord, type TransferScope } from './transfers.ts';

/**
 * A waiting transfer is CANCELLED at once; a running one is marked, and the caller tells its workflow
 * (`status` says which it was). Asking a running one again changes nothing.
 * @throws Failure `not_found`; `conflict` when it has ended.
 */
export async function cancelTransfer(
  db: Db,
  input: TransferScope & { id: string; actor: Actor },
): Promise<TransferRecord> {
  return await db.transaction(async (tx) => {
    const before = await getTransfer(tx, input);
    const line = `Cancelled by ${input.actor.type} ${input.actor.id}.`;
    const isNew =
      (await cancelPending(tx, { transferId: input.id, line })).length > 0 ||
      (await requestCancels(tx, { transferId: input.id, line })).length > 0;
    const transfer = await getTransfer(tx, input);
    if (!isNew && transfer.status !== 'RUNNING') {
      throw new Failure(
        'conflict',
        `Transfer ${input.id} has ended already: it is ${transfer.status}.`,
      );
    }
    if (isNew) {
      await recordAudit(tx, {
        environment: input.environment,
        eventType: 'TRANSFER_CANCELED',
        resourceId: input.id,
        actor: input.actor,
        object: { id: input.id, destination_id: before.destinationId, status: transfer.status },
        previousObject: {
          id: input.id,
          destination_id: before.destinationId,
          status: before.status,
        },
      });
    }
    return transfer;
  });
}

/** One transfer, or all of a destination. */
type Which = { transferId: string; line: string } | { destinationId: string; line: string };

/** Ends transfers that have not begun. Returns the ids of those that it ended. */
export async function cancelPending(tx: Db, which: Which): Promise<string[]> {
  const ended = await tx
    .update(transfers)
    .set({
      status: 'CANCELLED',
      endedAt: sql`clock_timestamp()`,
      cancelRequestedAt: sql`clock_timestamp()`,
    })
    .where(and(chosen(which), eq(transfers.status, 'PENDING')))
    .returning({ id: transfers.id, environment: transfers.environment });
  for (const { id, environment } of ended) {
    await tx
      .update(transferModels)
      .set({ status: 'CANCELLED' })
      .where(and(eq(transferModels.transferId, id), eq(transferModels.status, 'PENDING')));
    await appendLog(tx, { transferId: id, line: which.line });
    await recordNotice(tx, { environment, type: 'transfer.cancelled', resourceId: id });
  }
  return ended.map(({ id }) => id);
}

/** Marks running transfers to be stopped. Returns the ids of those not asked before. */
export async function requestCancels(tx: Db, which: Which): Promise<string[]> {
  const asked = await tx
    .update(transfers)
    .set({ cancelRequestedAt: sql`clock_timestamp()` })
    .where(
      and(
        chosen(which),
        eq(transfers.status, 'RUNNING'),
        sql`${transfers.cancelRequestedAt} is null`,
      ),
    )
    .returning({ id: transfers.id });
  for (const { id } of asked) await appendLog(tx, { transferId: id, line: which.line });
  return asked.map(({ id }) => id);
}

function chosen(which: Which) {
  return 'transferId' in which
    ? eq(transfers.id, which.transferId)
    : eq(transfers.destinationId, which.destinationId);
}
