import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, platform, arch, totalmem } from 'node:os';
import path from 'node:path';
import { formatTable } from '../bin/demo-screen.ts';

/** One row of the table in the design: some work of ours against a native way of doing it. */
export interface BenchResult {
  readonly work: string;
  readonly against: string;
  /** The ratio we hold ourselves to. */
  readonly ratioMax: number;
  /** Seconds of each round. */
  readonly ours: readonly number[];
  readonly native: readonly number[];
  /** Further numbers, with their unit in the name. */
  readonly numbers: Readonly<Record<string, number | undefined>>;
}

/** What the numbers hold for. */
export type Setting = Readonly<Record<string, string | number>>;

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

export function ratioOf(result: BenchResult): number {
  return median(result.ours) / median(result.native);
}

/** Writes both forms, named after the time. @returns the Markdown and where it is */
export async function writeReport(
  folder: string,
  report: {
    readonly at: Date;
    readonly setting: Setting;
    readonly results: readonly BenchResult[];
  },
): Promise<{ text: string; file: string }> {
  await mkdir(folder, { recursive: true });
  const name = report.at.toISOString().slice(0, 19).replaceAll(':', '-');
  const results = report.results.map((result) => ({ ...result, ratio: ratioOf(result) }));
  await writeFile(
    path.join(folder, `${name}.json`),
    `${JSON.stringify({ ...report, results }, undefined, 2)}\n`,
  );
  const text = formatReport(report);
  const file = path.join(folder, `${name}.md`);
  await writeFile(file, text);
  return { text, file };
}

function formatReport(report: {
  readonly setting: Setting;
  readonly results: readonly BenchResult[];
}): string {
  const parts = report.results.map((result) => {
    const numbers = Object.entries(result.numbers).map(([name, value]) => [
      name,
      formatNumber(value),
    ]);
    return [
      `## ${result.work}`,
      `against ${result.against}`,
      formatTable([
        ['', 'median s', 'rounds s'],
        ['ours', formatNumber(median(result.ours)), result.ours.map(formatNumber).join(' ')],
        ['native', formatNumber(median(result.native)), result.native.map(formatNumber).join(' ')],
      ]),
      `   ratio ${ratioOf(result).toFixed(2)} (at most ${result.ratioMax})`,
      formatTable([['number', 'value'], ...numbers]),
    ].join('\n\n');
  });
  const setting = Object.entries(report.setting).map(([name, value]) => `- ${name}: ${value}`);
  return `# Bench\n\n${setting.join('\n')}\n\n${parts.join('\n\n')}\n`;
}

function formatNumber(value: number | undefined): string {
  if (value === undefined) return 'not known here';
  return value >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toFixed(2);
}
