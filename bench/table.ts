import { afterKillRow } from './after-kill.ts';
import { emptyTransferRow } from './empty-transfer.ts';
import { firstLoadRows } from './first-load.ts';
import { incrementalRows } from './incremental.ts';
import { unchangedRow } from './unchanged.ts';
import { workerMemoryRow } from './worker-memory.ts';
import type { BenchRow } from './workbench.ts';

/** Everything we hold ourselves to, in the order in which it runs. */
export const table: readonly BenchRow[] = [
  ...firstLoadRows,
  unchangedRow,
  ...incrementalRows,
  workerMemoryRow,
  afterKillRow,
  emptyTransferRow,
];
