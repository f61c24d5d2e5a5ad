// Limits of the product that several parts share. Each is written down in docs/limits.md.

/** A step gives up on transient failures once both are reached without a committed batch in between. */
const transientFailuresMax = 6;
const transientMinutesMax = 30;

/** Whether a step has failed often and long enough since its last committed batch. */
export function isTriedEnough(since: { failures: number; minutes: number }): boolean {
  return since.failures >= transientFailuresMax && since.minutes >= transientMinutesMax;
}

/** One row may be this large: a batch is at least one row, and two of them are in memory. */
export const rowBytesMax = 64 * 1024 * 1024;
