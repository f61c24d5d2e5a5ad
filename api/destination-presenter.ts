import type { Context } from 'hono';
import type { DestinationRecord } from '../db/destinations.ts';
import { readLogs } from '../db/transfer-log.ts';
import { lastCompletedTransfers } from '../db/transfers.ts';
import type { AppEnv } from './deps.ts';
import type { Destination } from './destination-object.ts';
import { presentDestination } from './destination-object.ts';
import { presentTransfer } from '../db/transfer-json.ts';

/** Shows destinations with the transfer of each that ended last. */
export async function destinationPresenter(
  c: Context<AppEnv>,
  shown: readonly DestinationRecord[],
) {
  const { environment, deps } = c.var;
  const { db, publicUrl, registry } = deps;
  const last = await lastCompletedTransfers(db, {
    environment,
    destinationIds: shown.map(({ id }) => id),
  });
  const logs = await readLogs(db, { transferIds: [...last.values()].map(({ id }) => id) });
  return (destination: DestinationRecord): Destination => {
    const ended = last.get(destination.id);
    return {
      ...presentDestination(destination, registry),
      ...(ended && { last_completed_transfer: presentTransfer(ended, { publicUrl, logs }) }),
    };
  };
}
