import { startTransfer, waitForTransfers, type ApiClient, type Transfer } from './demo-api.ts';
import { trackPace } from './demo-pace.ts';
import { formatCount, formatSeconds, type Screen } from './demo-screen.ts';
import type { Customer } from './demo-setup.ts';

/** One line of the closing table. */
export interface Moved {
  readonly step: string;
  readonly rows: number;
  readonly seconds: number;
}

export interface TransferStep {
  readonly title: string;
  readonly customers: readonly Customer[];
  readonly body?: object;
  /** Rows that will move, where that is known; without it no share can be shown. */
  readonly expectedRows?: number;
  /** Told how many rows have moved, at every look. */
  readonly onRows?: (rows: number) => void | Promise<void>;
}

const lookEveryMs = 200;

/** Starts one transfer per customer, shows how far they are, and waits for their success. */
export async function runTransfers(
  api: ApiClient,
  screen: Screen,
  step: TransferStep,
): Promise<Moved & { transfers: readonly Transfer[] }> {
  const startedAtMs = performance.now();
  const ids = await Promise.all(
    step.customers.map(({ destinationId }) => startTransfer(api, destinationId, step.body)),
  );
  const pace = trackPace(step.expectedRows);
  const seconds = () => (performance.now() - startedAtMs) / 1000;
  const transfers = await waitForTransfers(api, ids, {
    everyMs: lookEveryMs,
    onProgress: async (now) => {
      const rows = sumRows(now);
      screen.progress(pace.describe(rows, performance.now()));
      await step.onRows?.(rows);
    },
  });
  const moved = { step: step.title, rows: sumRows(transfers), seconds: seconds() };
  screen.settle(
    `${formatCount(moved.rows)} rows in ${formatSeconds(moved.seconds)}` +
      ` (${formatCount(moved.rows / moved.seconds)} rows/s)`,
  );
  return { ...moved, transfers };
}

function sumRows(transfers: readonly Transfer[]): number {
  const metrics = transfers.flatMap(({ model_metrics: all }) => all);
  return metrics.reduce((sum, { rows_transferred: rows }) => sum + rows, 0);
}
