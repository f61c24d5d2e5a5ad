import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, platform, arch, totalmem } from 'node:os';
import path from 'node:path';
import type { Cost, TransferCost } from './measure.ts';
import type { BenchRow } from './workbench.ts';

/** What came of a row. No time is in it unless all rows compared equal. */
export type Outcome =
  | {
      readonly kind: 'measured';
      /** What is held against the bound, in its unit. */
      readonly value: number;
      /** Further numbers, with their unit in the name. */
      readonly numbers: Readonly<Record<string, number | undefined>>;
    }
  | { readonly kind: 'not run' | 'failed'; readonly reason: string };

export interface BenchResult {
  readonly row: Pick<BenchRow, 'name' | 'work' | 'against' | 'bound'>;
  readonly outcome: Outcome;
}

/** One of what a user would pick instead. */
export interface PeerResult {
  readonly peer: string;
  readonly outcome: Outcome;
  /** Whether values are equal, and what it does differently. */
  readonly remark?: string;
}

/** What the numbers hold for. */
export type Setting = Readonly<Record<string, string | number>>;

export interface Report {
  readonly at: Date;
  readonly setting: Setting;
  readonly results: readonly BenchResult[];
  readonly peers: readonly PeerResult[];
}

export function machineSetting(): Setting {
  const [first] = cpus();
  return {
    processor: `${first?.model ?? 'unknown'}, ${cpus().length} cores`,
    memory_gb: Math.round(totalmem() / 1e9),
    system: `${platform()} ${arch()}`,
    node: process.version,
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

export function measured(
  value: number,
  numbers: Readonly<Record<string, number | undefined>>,
): Outcome {
  return { kind: 'measured', value, numbers };
}

export function ratioOf(ours: readonly Cost[], native: readonly Cost[]): number {
  return medianSeconds(ours) / medianSeconds(native);
}

export interface Rounds {
  readonly ours: readonly TransferCost[];
  readonly native: readonly Cost[];
  /** That each side moved in a round, and their width as text. */
  readonly rows: number;
  readonly rowBytes: number;
}

export function summarizeTurns({ ours, native, rows, rowBytes }: Rounds): Outcome {
  const seconds = medianSeconds(ours);
  const perMillion = (values: readonly (number | undefined)[]) => {
    const present = values.filter((value) => value !== undefined);
    return present.length === 0 ? undefined : (median(present) * 1e6) / rows;
  };
  const peaks = ours.flatMap(({ peakMb }) => peakMb ?? []);
  const listed = (costs: readonly Cost[], side: string) =>
    costs.map((cost, at) => [`${side}, round ${at + 1}, s`, cost.seconds] as const);
  return measured(ratioOf(ours, native), {
    'ours, s': seconds,
    'native, s': medianSeconds(native),
    'ours, rows/s': rows / seconds,
    'ours, MB/s': (rows * rowBytes) / 1e6 / seconds,
    'native, rows/s': rows / medianSeconds(native),
    'rows moved': rows,
    'ours, CPU of all processes, s per million rows': perMillion(
      ours.map((each) => each.cpuSeconds),
    ),
    'native, CPU of all processes, s per million rows': perMillion(
      native.map((each) => each.cpuSeconds),
    ),
    'worker CPU, s per million rows': perMillion(ours.map((each) => each.workerCpuSeconds)),
    'worker memory before, MB': ours[0]?.idleMb,
    'worker memory at its peak, MB': peaks.length === 0 ? undefined : Math.max(...peaks),
    ...Object.fromEntries([...listed(ours, 'ours'), ...listed(native, 'native')]),
  });
}

function medianSeconds(costs: readonly Cost[]): number {
  return median(costs.map(({ seconds }) => seconds));
}

/** Writes both forms, named after the time. @returns the Markdown and where it is */
export async function writeReport(
  folder: string,
  report: Report,
): Promise<{ text: string; file: string }> {
  await mkdir(folder, { recursive: true });
  const name = report.at.toISOString().slice(0, 19).replaceAll(':', '-');
  await writeFile(path.join(folder, `${name}.json`), `${JSON.stringify(report, undefined, 2)}\n`);
  const text = formatReport(report);
  const file = path.join(folder, `${name}.md`);
  await writeFile(file, text);
  return { text, file };
}

export function formatReport({ at, setting, results, peers }: Report): string {
  const parts = [
    '# Bench',
    [`- date: ${at.toISOString()}`, ...Object.entries(setting).map(toItem)].join('\n'),
    markdownTable(['row', 'work', 'against', 'measured', 'at most', ''], results.map(toLine)),
  ];
  if (peers.length > 0) {
    parts.push('## What a user would pick instead', markdownTable(...peerTable(peers)));
  }
  for (const { row, outcome } of results) {
    if (outcome.kind !== 'measured') continue;
    const lines = Object.entries(outcome.numbers).map(([name, value]) => [name, toText(value)]);
    parts.push(`## ${row.name}`, markdownTable(['number', 'value'], lines));
  }
  return `${parts.join('\n\n')}\n`;
}

function toItem([name, value]: [string, string | number]): string {
  return `- ${name}: ${value}`;
}

function toLine({ row, outcome }: BenchResult): string[] {
  const { max, unit } = row.bound;
  const head = [row.name, row.work, row.against ?? ''];
  if (outcome.kind !== 'measured') {
    return [...head, `${outcome.kind}: ${outcome.reason}`, `${max} ${unit}`, ''];
  }
  const verdict = outcome.value <= max ? 'met' : 'not met';
  return [...head, `${outcome.value.toFixed(2)} ${unit}`, `${max} ${unit}`, verdict];
}

/** The head is every number that any of them has. */
function peerTable(peers: readonly PeerResult[]): [string[], string[][]] {
  const names = new Set(
    peers.flatMap(({ outcome }) =>
      outcome.kind === 'measured' ? Object.keys(outcome.numbers) : [],
    ),
  );
  const lines = peers.map(({ peer, outcome, remark = '' }) => {
    if (outcome.kind !== 'measured') return [peer, `${outcome.kind}: ${outcome.reason}`];
    const values = [...names].map((name) => toText(outcome.numbers[name]));
    return [peer, `${outcome.value.toFixed(2)} ×`, ...values, remark];
  });
  return [['peer', 'against native', ...names, ''], lines];
}

function markdownTable(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]) =>
    `| ${head.map((_, at) => (cells[at] ?? '').replaceAll('|', '\\|')).join(' | ')} |`;
  return [row(head), row(head.map(() => '---')), ...lines.map(row)].join('\n');
}

function toText(value: number | undefined): string {
  if (value === undefined) return 'not known here';
  return value >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toFixed(2);
}
