import type { Context } from 'hono';
import type { DestinationRecord } from '../db/destinations.ts';
import { listFreshness, type Freshness } from '../db/freshness.ts';
import { readLogs } from '../db/transfer-log.ts';
import { lastCompletedTransfers } from '../db/transfers.ts';
import { exactInstantOut, optionalInstantOut } from '../domain/outputs.ts';
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
  const fresh = Map.groupBy(
    await listFreshness(
      db,
      shown.map(({ id }) => id),
    ),
    ({ destinationId }) => destinationId,
  );
  return (destination: DestinationRecord): Destination => {
    const ended = last.get(destination.id);
    return {
      ...presentDestination(destination, registry),
      freshness: (fresh.get(destination.id) ?? []).map(presentFreshness),
      ...(ended && { last_completed_transfer: presentTransfer(ended, { publicUrl, logs }) }),
    };
  };
}

function presentFreshness(one: Freshness) {
  return {
    model_id: one.modelId,
    model_name: one.modelName,
    current_as_of: optionalInstantOut(one.currentAsOf),
    seconds_behind: one.secondsBehind,
    watermark: exactInstantOut(one.watermark),
  };
}
