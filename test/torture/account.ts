import { setTimeout as sleep } from 'node:timers/promises';
import type { Transfer } from '../../api/transfer-object.ts';
import type { Installation } from './installation.ts';

// Waybill as a client sees it that calls again until it is answered, as clients do.

export interface Account {
  /** @throws after two minutes without an answer below 500; with the answer where it is a refusal */
  call<T>(request: ApiCall): Promise<T>;
}

export interface ApiCall {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly path: string;
  readonly body?: unknown;
  readonly idempotencyKey?: string;
}

/** The API understood, and said no. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(`${status} ${text}`);
    this.status = status;
  }
}

const answerMs = 30_000;
const pauseMs = 300;
const patienceMs = 120_000;

export function createAccount({
  apiUrl,
  apiKey,
}: Pick<Installation, 'apiUrl' | 'apiKey'>): Account {
  const ask = async <T>({ method, path, body, idempotencyKey }: ApiCall): Promise<T> => {
    const response = await fetch(new URL(path, apiUrl), {
      method,
      headers: {
        'X-API-KEY': apiKey,
        'Content-Type': 'application/json',
        ...(idempotencyKey === undefined ? {} : { 'Idempotency-Key': idempotencyKey }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(answerMs),
    });
    const text = await response.text();
    if (response.status >= 500) throw new Error(`${response.status} ${text}`);
    if (!response.ok) throw new Refused(response.status, text);
    return (JSON.parse(text) as { data: T }).data;
  };
  return {
    async call<T>(request: ApiCall): Promise<T> {
      const deadline = Date.now() + patienceMs;
      for (;;) {
        try {
          return await ask<T>(request);
        } catch (error) {
          if (error instanceof Refused || Date.now() > deadline)
            throw new Error(`${request.method} ${request.path}: ${String(error)}`, {
              cause: error,
            });
          await sleep(pauseMs);
        }
      }
    },
  };
}

export async function getTransfer(account: Account, id: string): Promise<Transfer> {
  const path = `/transfers/${id}`;
  return (await account.call<{ transfer: Transfer }>({ method: 'GET', path })).transfer;
}
