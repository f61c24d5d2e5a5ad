import { Failure } from './failure.ts';
import type { SharedTable } from './model.ts';

/** So many rows without a last-modified value are counted; more are only told as more. */
export const unstampedRowsMax = 10_000;

/**
 * A query without bounds may be too much for its source, so its rows are counted only where the model wants
 * to be sure.
 */
export function countsUnstamped({ queryTemplate, refusesUnstamped }: SharedTable): boolean {
  return queryTemplate === undefined || refusesUnstamped;
}

/**
 * What the log says of rows without a last-modified value, which no window can have.
 * @throws Failure `source_mismatch` where there are some and the model refuses them
 */
export function judgeUnstamped(
  { modelName, lastModified, refusesUnstamped }: SharedTable,
  counted: number,
): string | undefined {
  if (counted === 0) return undefined;
  const rows =
    counted > unstampedRowsMax ? `more than ${unstampedRowsMax} rows` : rowsText(counted);
  const have = `${rows} of this recipient without a value in ${lastModified.nameInSource}`;
  if (!refusesUnstamped) return `${modelName}: ${have} left out.`;
  const sentence =
    `The source has ${have}, which model ${modelName} refuses (null_last_modified). ` +
    'Give them a value, or let the model leave them out.';
  throw new Failure('source_mismatch', sentence, { code: 'LMOD' });
}

function rowsText(count: number): string {
  return count === 1 ? '1 row' : `${count} rows`;
}
