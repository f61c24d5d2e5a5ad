/** How a step of a transfer, or any other activity, came to its end. */
export type StepOutcome = 'finished' | 'stopped' | 'failed';

/** What a worker counts. Its one implementation is in `bin/`; names and units are in `docs/monitoring.md`. */
export interface Metrics {
  /** Rows that became durable since the last call. */
  moved(counts: { readonly rows: number; readonly bytes: number; readonly batches: number }): void;
  stepEnded(step: string, outcome: StepOutcome, seconds: number): void;
  /** One failure of an attempt, by its kind. */
  stepFailed(step: string, kind: string): void;
  transferEnded(status: string): void;
  noticeSent(outcome: 'delivered' | 'failed'): void;
}

/** Counts nothing. */
export const silentMetrics: Metrics = {
  moved: () => undefined,
  stepEnded: () => undefined,
  stepFailed: () => undefined,
  transferEnded: () => undefined,
  noticeSent: () => undefined,
};
