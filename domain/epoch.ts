/**
 * The rank of an attempt. It is issued, not taken: a writer frozen before its first statement keeps
 * the low rank it was given and can never push out its successor.
 */
export interface Epoch {
  /** When the transfer started, in microseconds since 1970 (below 2^53 until the year 2255). */
  readonly startedAtMicros: number;
  /** Number of the step within the model's run, from 1. */
  readonly step: number;
  /** Temporal's attempt at that step, from 1. */
  readonly attempt: number;
}

/** Negative, zero or positive, like every comparison: start first, then step, then attempt. */
export function compareEpochs(a: Epoch, b: Epoch): number {
  return a.startedAtMicros - b.startedAtMicros || a.step - b.step || a.attempt - b.attempt;
}
