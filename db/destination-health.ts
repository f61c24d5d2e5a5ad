import { eq, sql } from 'drizzle-orm';
import type { Environment, TransferStatus } from '../domain/statuses.ts';
import type { Db } from './database.ts';
import { recordNotice } from './notices.ts';
import { destinations } from './schema.ts';

/** After so many failed transfers in a row a destination is called stale. It goes on being tried. */
export const staleAfterFailures = 10;

/**
 * What the end of a transfer says about its destination. Belongs into the transaction of that end.
 * A success makes it sound again; a cancelled transfer says nothing.
 */
export async function countOutcome(
  db: Db,
  end: {
    readonly environment: Environment;
    readonly destinationId: string;
    readonly status: TransferStatus;
    readonly endedAt: Date | null;
  },
): Promise<void> {
  const { environment, destinationId, status, endedAt } = end;
  if (status === 'CANCELLED') return;
  const isIt = eq(destinations.id, destinationId);
  if (status === 'SUCCESS') {
    const sound = { consecutiveFailures: 0, staleSince: null };
    await db
      .update(destinations)
      .set({ ...sound, lastSuccessfulTransferEndedAt: endedAt })
      .where(isIt);
    return;
  }
  const failures = sql`${destinations.consecutiveFailures} + 1`;
  const [failed] = await db
    .update(destinations)
    .set({
      consecutiveFailures: failures,
      staleSince: sql`case when ${failures} >= ${staleAfterFailures}
        then coalesce(${destinations.staleSince}, clock_timestamp()) end`,
    })
    .where(isIt)
    .returning({
      name: destinations.name,
      vendor: destinations.vendor,
      count: destinations.consecutiveFailures,
    });
  if (failed?.count !== staleAfterFailures) return;
  const { name, vendor, count } = failed;
  const destination = { id: destinationId, name, vendor, consecutive_failures: count };
  const type = 'destination.stale' as const;
  await recordNotice(db, { environment, type, resourceId: destinationId, data: { destination } });
}
