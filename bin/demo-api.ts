import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../domain/failure.ts';
import type { TransferStatus } from '../domain/statuses.ts';

/** The part of a transfer that the demo and the bench read. */
export interface Transfer {
  readonly id: string;
  readonly status: TransferStatus;
  readonly rows_transferred: number;
  readonly volume_transferred_in_mb: number;
  readonly submitted_at: string;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly log: string;
  readonly error: { readonly message: string } | null;
  readonly model_metrics: readonly ModelMetrics[];
}

interface ModelMetrics {
  readonly model_name: string;
  readonly rows_transferred: number;
  readonly error?: { readonly message: string } | null;
}

type Method = 'GET' | 'POST' | 'PATCH';

/** Waybill as any client sees it: HTTP and an API key. */
export interface ApiClient {
  /** The named part of `data`. @throws Failure `invalid` with the server's sentence. */
  call<T>(request: { method: Method; path: string; body?: unknown; part: string }): Promise<T>;
}

export function createApiClient(options: { apiUrl: string; apiKey: string }): ApiClient {
  return {
    call: async ({ method, path, body, part }) => {
      const response = await fetch(new URL(path, options.apiUrl), {
        method,
        headers: { 'X-API-KEY': options.apiKey, 'Content-Type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const answer = (await response.json()) as {
        data: Record<string, unknown> | null;
        message: string;
      };
      if (!response.ok) throw new Failure('invalid', `${method} ${path}: ${answer.message}`);
      // The shape is the API's contract, which its own tests hold.
      return answer.data?.[part] as never;
    },
  };
}

/** Starts a transfer to a destination. @returns its id */
export function startTransfer(
  api: ApiClient,
  destinationId: string,
  body: object = {},
): Promise<string> {
  const path = `/destinations/${destinationId}/transfer`;
  return api.call<string>({ method: 'POST', path, body, part: 'transfer_id' });
}

export function getTransfer(api: ApiClient, id: string): Promise<Transfer> {
  return api.call<Transfer>({ method: 'GET', path: `/transfers/${id}`, part: 'transfer' });
}

export interface Watch {
  readonly everyMs: number;
  /** Called with every answer, the last one included. */
  readonly onProgress?: (transfers: readonly Transfer[]) => void | Promise<void>;
}

/**
 * Asks until all transfers have ended. @throws Failure `invalid`, with the reasons, where one did not
 * succeed.
 */
export async function waitForTransfers(
  api: ApiClient,
  ids: readonly string[],
  watch: Watch,
): Promise<Transfer[]> {
  for (;;) {
    const transfers = await Promise.all(ids.map((id) => getTransfer(api, id)));
    await watch.onProgress?.(transfers);
    const open = transfers.filter(({ status }) => status === 'PENDING' || status === 'RUNNING');
    if (open.length === 0) {
      for (const transfer of transfers) checkSuccess(transfer);
      return transfers;
    }
    await sleep(watch.everyMs);
  }
}

function checkSuccess(transfer: Transfer): void {
  if (transfer.status === 'SUCCESS') return;
  const faults = [transfer.error, ...transfer.model_metrics.map(({ error }) => error)];
  const reasons = faults.flatMap((fault) => (fault ? [fault.message] : []));
  const why = reasons.join(' ') || `Its log:\n${transfer.log}`;
  throw new Failure('invalid', `Transfer ${transfer.id} ended as ${transfer.status}. ${why}`);
}
