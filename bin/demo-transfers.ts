import { startTransfer, waitForTransfers, type ApiClient, type Transfer } from './demo-api.ts';
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

const lookEveryMs = 250;

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
  const seconds = () => (performance.now() - startedAtMs) / 1000;
  const transfers = await waitForTransfers(api, ids, {
    everyMs: lookEveryMs,
    onProgress: async (now) => {
      const rows = sumRows(now);
      screen.progress(progressText({ rows, seconds: seconds(), expectedRows: step.expectedRows }));
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

function progressText(now: {
  rows: number;
  seconds: number;
  expectedRows: number | undefined;
}): string {
  const rate = now.rows / now.seconds;
  const parts = [`${formatCount(now.rows)} rows`, `${formatCount(rate)} rows/s`];
  if (now.expectedRows !== undefined && now.expectedRows > 0) {
    const share = Math.min(1, now.rows / now.expectedRows);
    parts.unshift(`${String(Math.floor(share * 100)).padStart(3)} %`);
    if (share === 1) parts.push('publishing');
    else if (now.rows > 0)
      parts.push(`${formatSeconds((now.expectedRows - now.rows) / rate)} left`);
  }
  return parts.join('  ·  ');
}

function sumRows(transfers: readonly Transfer[]): number {
  const metrics = transfers.flatMap(({ model_metrics: all }) => all);
  return metrics.reduce((sum, { rows_transferred: rows }) => sum + rows, 0);
}
