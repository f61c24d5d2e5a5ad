import type { PlannedFault } from './plan.ts';
import type { TransferEnd } from './settle.ts';
import type { LostBatch } from './wire-proxy.ts';

/** A fault as it fell out. */
export interface Struck {
  readonly fault: PlannedFault;
  readonly at: number;
  /**
   * Until every destination that had work under way had committed something again; undefined where none had.
   * Faults overlap, so this is what users wait for and not the cost of one kind alone.
   */
  readonly recoveredMs: number | undefined;
  /** Batches that were on their way when a connection broke, up to the next fault: moved again. */
  readonly batchesLost: number;
}

export interface RoundTraces {
  readonly struck: readonly { readonly fault: PlannedFault; readonly at: number }[];
  readonly ends: readonly TransferEnd[];
  /** When each destination committed anything, by its id. */
  readonly commits: ReadonlyMap<string, readonly number[]>;
  readonly lost: readonly LostBatch[];
}

export function recoveries({ struck, ends, commits, lost }: RoundTraces): Struck[] {
  return struck.map(({ fault, at }, index) => {
    const until = struck[index + 1]?.at ?? Infinity;
    const waits = [...commits].flatMap(([destinationId, times]) => {
      const under = ends.filter(
        (end) => end.destination_id === destinationId && end.submitted <= at && end.ended > at,
      );
      if (under.length === 0) return [];
      const next = times.find((time) => time > at) ?? Infinity;
      // A transfer may end without another commit: one that is cancelled does.
      return [Math.min(next, ...under.map(({ ended }) => ended)) - at];
    });
    return {
      fault,
      at,
      recoveredMs: waits.length === 0 ? undefined : Math.max(...waits),
      batchesLost: lost.filter((each) => each.at >= at && each.at < until).length,
    };
  });
}
