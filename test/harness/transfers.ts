import { setTimeout as sleep } from 'node:timers/promises';
import type { Transfer } from '../../api/transfer-object.ts';
import { isFinal } from '../../domain/statuses.ts';
import type { System } from './system.ts';

// Transfers as a client starts and watches them.

const pollMs = 50;

/** Submits a transfer. @returns its id */
export async function submit(
  system: System,
  destinationId: string,
  body: object = {},
): Promise<string> {
  const path = `/destinations/${destinationId}/transfer`;
  return (await system.api<{ transfer_id: string }>('POST', path, body)).transfer_id;
}

export async function getTransfer(system: System, id: string): Promise<Transfer> {
  return (await system.api<{ transfer: Transfer }>('GET', `/transfers/${id}`)).transfer;
}

/** Polls as a client does. @throws with the transfer's log once the deadline has passed. */
export async function waitFor(
  system: System,
  id: string,
  { until, ms = 60_000 }: { until: (transfer: Transfer) => boolean; ms?: number },
): Promise<Transfer> {
  const deadline = Date.now() + ms;
  for (;;) {
    const transfer = await getTransfer(system, id);
    if (until(transfer)) return transfer;
    const isOver = isFinal(transfer.status);
    if (isOver || Date.now() > deadline)
      throw new Error(describe(transfer, isOver ? 'ended' : 'waits'));
    await sleep(pollMs);
  }
}

/** Waits for its end, whatever it is. */
export function waitForEnd(system: System, id: string, ms?: number): Promise<Transfer> {
  const until = ({ status }: Transfer) => isFinal(status);
  return waitFor(system, id, { until, ...(ms === undefined ? {} : { ms }) });
}

/** Submits a transfer and waits for its success. @throws with its log where it ends otherwise. */
export async function transfer(
  system: System,
  destinationId: string,
  body: object = {},
): Promise<Transfer> {
  const ended = await waitForEnd(system, await submit(system, destinationId, body));
  if (ended.status !== 'SUCCESS') throw new Error(describe(ended, 'ended'));
  return ended;
}

function describe(transfer: Transfer, how: string): string {
  const { id, status, log, error, model_metrics: models } = transfer;
  const faults = [error, ...models.map((model) => model.error)].filter((fault) => fault !== null);
  return [`Transfer ${id} ${how} as ${status}.`, log, JSON.stringify(faults)].join('\n');
}
