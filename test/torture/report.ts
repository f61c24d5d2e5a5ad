import type { CampaignResult } from './campaign.ts';
import type { Struck } from './recovery.ts';

/** The closing table, by kind of fault. */
export function renderReport({ rounds, differences }: CampaignResult): string {
  const faults = rounds.flatMap((round) => round.faults);
  const kinds = [...new Set(faults.map(({ fault }) => fault.kind))].toSorted();
  const lines = kinds.map((kind) =>
    row(
      kind,
      faults.filter(({ fault }) => fault.kind === kind),
    ),
  );
  const sum = (of: (round: CampaignResult['rounds'][number]) => number) =>
    rounds.reduce((total, round) => total + of(round), 0);
  return [
    `| fault | count | while loading | recovered after, median | at most | batches moved again |`,
    `| --- | ---: | ---: | ---: | ---: | ---: |`,
    ...lines,
    row('all', faults),
    '',
    `${sum(({ transfers }) => transfers)} transfers, ${sum(({ acts }) => acts)} writes, ` +
      `${sum(({ batches }) => batches)} batches committed, ${sum(({ rowsCompared }) => rowsCompared)} rows compared, ` +
      `${differences.length} differences.`,
  ].join('\n');
}

function row(kind: string, faults: readonly Struck[]): string {
  const waits = faults.flatMap(({ recoveredMs }) => recoveredMs ?? []).toSorted((a, b) => a - b);
  const lost = faults.reduce((sum, { batchesLost }) => sum + batchesLost, 0);
  const median = waits[Math.floor(waits.length / 2)];
  const cells = [kind, faults.length, waits.length, seconds(median), seconds(waits.at(-1)), lost];
  return `| ${cells.join(' | ')} |`;
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? '' : `${(ms / 1000).toFixed(1)} s`;
}
