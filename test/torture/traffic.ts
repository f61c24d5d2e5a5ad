import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from './account.ts';
import type { PlannedTransfer } from './plan.ts';
import type { Shipments } from './shipments.ts';

/** A transfer that the campaign asked for. */
export interface Asked {
  readonly id: string;
  readonly mayBeCancelled: boolean;
}

/** Submits a planned transfer, and cancels it where that is planned. */
export async function ask(
  account: Account,
  shipments: Shipments,
  { transfer, key }: { transfer: PlannedTransfer; key: string },
): Promise<Asked> {
  const { kind, tenant, spanMs } = transfer;
  const id = await submit(account, shipments, { tenant, body: bodyOf(transfer), key });
  if (kind !== 'cancelled') return { id, mayBeCancelled: false };
  await sleep(spanMs);
  // One that has ended already refuses.
  await account.call({ method: 'POST', path: `/transfers/${id}/cancel` }).catch(() => undefined);
  return { id, mayBeCancelled: true };
}

/** The key makes it one transfer however often it is asked for. */
export async function submit(
  account: Account,
  { recipients }: Shipments,
  { tenant, body, key }: { tenant: string; body: object; key: string },
): Promise<string> {
  const recipient = recipients.find((each) => each.tenant === tenant);
  const { transfer_id: id } = await account.call<{ transfer_id: string }>({
    method: 'POST',
    path: `/destinations/${recipient?.destinationId}/transfer`,
    body,
    idempotencyKey: key,
  });
  return id;
}

function bodyOf({ kind, spanMs }: PlannedTransfer): object {
  if (kind === 'full_refresh') return { full_refresh: true };
  // Half of the cancelled ones are full refreshes, which leave the most behind.
  if (kind === 'cancelled') return { full_refresh: spanMs % 2 === 0 };
  if (kind === 'incremental') return {};
  const now = Date.now();
  return {
    start_transfer_window_at: new Date(now - spanMs * 20).toISOString(),
    ...(spanMs % 2 === 0 ? { end_transfer_window_at: new Date(now - spanMs).toISOString() } : {}),
  };
}
