import { eq } from 'drizzle-orm';
import type { JsonObject } from '../lib/deep-merge.ts';
import type { Db } from './database.ts';
import { destinations, recipients } from './schema.ts';
import { presentTransfer } from './transfer-json.ts';
import { readLogs } from './transfer-log.ts';
import { transfers } from './transfer-schema.ts';
import { getTransfer } from './transfers.ts';

/** What a notice tells of a transfer: itself, where it went and whose rows they were. */
export async function describeTransferNotice(
  db: Db,
  transferId: string,
  publicUrl: string,
): Promise<JsonObject> {
  const [around] = await db
    .select({
      environment: transfers.environment,
      destination: { id: destinations.id, name: destinations.name, vendor: destinations.vendor },
      recipient: {
        id: recipients.id,
        name: recipients.name,
        id_in_provider_system: recipients.idInProviderSystem,
      },
    })
    .from(transfers)
    .innerJoin(destinations, eq(destinations.id, transfers.destinationId))
    .innerJoin(recipients, eq(recipients.id, transfers.recipientId))
    .where(eq(transfers.id, transferId));
  // Past retention: only its id is left.
  if (around === undefined) return { transfer: { id: transferId } };
  const { environment, destination, recipient } = around;
  const transfer = await getTransfer(db, { environment, id: transferId });
  const logs = await readLogs(db, { transferIds: [transferId] });
  const shown = JSON.stringify(presentTransfer(transfer, { publicUrl, logs }));
  return { transfer: JSON.parse(shown) as JsonObject, destination, recipient };
}
