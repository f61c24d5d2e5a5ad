import { measureTransfer, requireEqual } from './measure.ts';
import { measured, type Outcome } from './report.ts';
import { huge, orders, wide } from './source-rows.ts';
import type { BenchRow, Workbench } from './workbench.ts';

export const workerMemoryRow: BenchRow = {
  name: 'memory',
  work: 'worker memory with one data slot: rows of 350 bytes, 100 kB and 32 MB',
  bound: { max: 250, unit: 'MB' },
  run,
};

const everything = {
  start_transfer_window_at: '2000-01-01T00:00:00Z',
  end_transfer_window_at: '2100-01-01T00:00:00Z',
};

/** Each shape is loaded first, then read again and merged: the two ways hold their rows differently. */
async function run(bench: Workbench): Promise<Outcome> {
  const numbers: Record<string, number | undefined> = {};
  const peaks: number[] = [];
  for (const shape of [orders, wide, huge]) {
    const schema = `memory_${shape.name}`;
    const destinationId = await bench.addDestination(schema);
    for (const [way, body] of [['first load', {}] as const, ['read again', everything] as const]) {
      const cost = await measureTransfer(bench, { destinationId, models: [shape], body });
      const rows = await requireEqual(bench, shape, `${schema}.${shape.name}`);
      numbers[`${shape.name}, ${way}, ${rows} rows, peak MB`] = cost.peakMb;
      numbers[`${shape.name}, ${way}, MB before`] = cost.idleMb;
      if (cost.peakMb !== undefined) peaks.push(cost.peakMb);
      bench.say(`  ${shape.name}, ${way}: ${cost.peakMb?.toFixed(0) ?? 'unknown'} MB at the peak`);
    }
    await bench.destinationClient.query(/*sql*/ `drop schema ${schema} cascade`);
  }
  if (peaks.length === 0)
    return { kind: 'not run', reason: 'this system has no /proc to read it from' };
  return measured(Math.max(...peaks), numbers);
}
