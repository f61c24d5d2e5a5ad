// Limits of the product that several parts share. Each is written down in docs/limits.md.

/** A step gives up on transient failures once both are reached without a committed batch in between. */
export const transientFailuresMax = 6;
export const transientMinutesMax = 30;

/** Nothing committed for so long while rows should flow is `no_progress`. */
export const progressMinutesMax = 10;

/** One value, and so one row, may be this large; both ends hold at most two batches in memory. */
export const rowBytesMax = 64 * 1024 * 1024;
