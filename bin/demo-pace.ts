import { formatCount, formatSeconds } from './demo-screen.ts';

/** How fast rows have been coming lately, in words. */
export interface Pace {
  /** @param rows moved so far; `atMs` on any clock that does not go back */
  describe(rows: number, atMs: number): string;
}

const windowMs = 5000;
const stalledMs = 4000;

/** @param expectedRows without it neither share nor time left is known */
export function trackPace(expectedRows: number | undefined): Pace {
  let seen: { rows: number; atMs: number }[] = [];
  let lastRows = 0;
  let movedAtMs: number | undefined;
  return {
    describe: (rows, atMs) => {
      if (rows !== lastRows || movedAtMs === undefined) movedAtMs = atMs;
      lastRows = rows;
      seen = [...seen.filter((each) => atMs - each.atMs <= windowMs), { rows, atMs }];
      const [first] = seen;
      const elapsed = first === undefined ? 0 : (atMs - first.atMs) / 1000;
      const rate = first === undefined || elapsed === 0 ? 0 : (rows - first.rows) / elapsed;
      const stalled = atMs - movedAtMs >= stalledMs ? (atMs - movedAtMs) / 1000 : undefined;
      return [...share(rows, expectedRows), ...motion({ rows, expectedRows, rate, stalled })].join(
        '  ·  ',
      );
    },
  };
}

function share(rows: number, expectedRows: number | undefined): string[] {
  const count = `${formatCount(rows)} rows`;
  if (!expectedRows) return [count];
  const percent = Math.min(100, Math.floor((rows / expectedRows) * 100));
  return [`${String(percent).padStart(3)} %`, count];
}

interface Motion {
  readonly rows: number;
  readonly expectedRows: number | undefined;
  readonly rate: number;
  readonly stalled: number | undefined;
}

function motion({ rows, expectedRows, rate, stalled }: Motion): string[] {
  if (rows === 0) return ['preparing'];
  const still = stalled === undefined ? '' : ` for ${formatSeconds(stalled)}`;
  if (expectedRows !== undefined && rows >= expectedRows) return [`publishing${still}`];
  if (stalled !== undefined) return [`waiting${still}`];
  const parts = [`${formatCount(rate)} rows/s`];
  if (expectedRows !== undefined && rate > 0)
    parts.push(`${formatSeconds((expectedRows - rows) / rate)} left`);
  return parts;
}
