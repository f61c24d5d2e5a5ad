import type { Batch, Load } from '../connectors/connector.ts';
import { addCounts, correctRows, type ModelRun } from '../db/model-runs.ts';
import type { SliceResult } from '../domain/steps.ts';
import { planOf } from './load-plan.ts';
import type { StepDeps } from './deps.ts';

export interface BatchCounter {
  /** To be called after a batch is durable. */
  add(batch: Batch, rowsChanged: number | undefined): Promise<void>;
  /** The budget of a slice begins with its first batch: a slow start is not its fault. */
  millisSinceFirst(): number;
  readonly total: Pick<SliceResult, 'rows' | 'bytes' | 'batches'>;
}

/** Counts a slice from outside: into our tables, where the API reads progress, and into heartbeats. */
export async function countBatches(
  deps: StepDeps,
  run: ModelRun,
  load: Load,
): Promise<BatchCounter> {
  const { pass, rows: landed } = load.progress;
  // A worker killed between a commit and its count left ours short. Only where all the rows are this run's.
  if (!planOf(run).decision.continues && landed > run.rows) await correctRows(deps.db, run, landed);
  const isCatchUp = pass > 0;
  const total = { rows: 0, bytes: 0, batches: 0 };
  let firstAt: number | undefined;
  return {
    async add(batch, rowsChanged = 0) {
      firstAt ??= performance.now();
      total.batches += 1;
      if (!isCatchUp) {
        total.rows += batch.rows;
        total.bytes += batch.bytes;
      }
      await addCounts(deps.db, run, {
        rows: isCatchUp ? 0 : batch.rows,
        deltaRows: isCatchUp ? 0 : batch.deltaRows,
        bytes: isCatchUp ? 0 : batch.bytes,
        rowsChanged,
        mostRecentAt: batch.cursor.lastModified,
      });
      deps.beat(total);
    },
    millisSinceFirst: () => (firstAt === undefined ? 0 : performance.now() - firstAt),
    total,
  };
}
