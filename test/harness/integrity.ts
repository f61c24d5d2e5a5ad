import { expect } from 'vitest';
import type { System } from './system.ts';

export interface IntegrityResult {
  readonly [count: `total_rows_${string}`]: number;
  readonly is_healthy: boolean;
  readonly error_message: string;
  readonly sampling_rate: number;
  readonly mismatched_partitions: readonly object[];
}

export interface IntegrityJob {
  readonly id: string;
  readonly status: string;
  readonly log_message: string;
  readonly data_integrity_results: readonly IntegrityResult[];
}

/** Holds a destination against its sources, over the API, and waits for the end of that. */
export async function runIntegrityJob(
  system: System,
  destinationId: string,
  body: object = {},
): Promise<IntegrityJob> {
  const path = `/destinations/${destinationId}/data-integrity`;
  const { job } = await system.api<{ job: IntegrityJob }>('POST', path, body);
  return await waitForIntegrityJob(system, destinationId, job.id);
}

export async function waitForIntegrityJob(
  system: System,
  destinationId: string,
  id: string,
): Promise<IntegrityJob> {
  const path = `/destinations/${destinationId}/data-integrity/${id}`;
  const read = async () => (await system.api<{ job: IntegrityJob }>('GET', path)).job;
  const isOver = async () => !['PENDING', 'RUNNING'].includes((await read()).status);
  await expect.poll(isOver, { timeout: 60_000 }).toBe(true);
  return await read();
}
