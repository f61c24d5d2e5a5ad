import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { formatTable } from '../../bin/demo-screen.ts';
import type { Setting } from '../report.ts';
import type { PhaseResult } from './phase.ts';
import type { SimulationResult } from './rounds.ts';

/** A part of a report: a heading and lines of a table, the first its head. */
export interface Section {
  readonly title: string;
  readonly table: readonly (readonly string[])[];
}

const statementsShown = 60;
const statementCharsMax = 150;

/** Writes the figures as JSON and as Markdown, named after the time. @returns the Markdown and where it is */
export async function writeSections(report: {
  readonly name: string;
  readonly setting: Setting;
  readonly sections: readonly Section[];
  readonly figures: unknown;
}): Promise<{ text: string; file: string }> {
  const folder = 'bench/results';
  await mkdir(folder, { recursive: true });
  const stem = `${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}-${report.name}`;
  const json = { setting: report.setting, figures: report.figures };
  await writeFile(path.join(folder, `${stem}.json`), `${JSON.stringify(json, undefined, 2)}\n`);
  const setting = Object.entries(report.setting).map(([name, value]) => `- ${name}: ${value}`);
  const parts = report.sections.map(({ title, table }) => {
    return `## ${title}\n\n${formatTable(table.map((line) => [...line]))}`;
  });
  const text = `# ${report.name}\n\n${setting.join('\n')}\n\n${parts.join('\n\n')}\n`;
  const file = path.join(folder, `${stem}.md`);
  await writeFile(file, text);
  return { text, file };
}

export function simulationSections(result: SimulationResult): Section[] {
  const { phases } = result;
  const latest = phases.find(({ name }) => name === 'all changed');
  return [
    { title: 'Phases', table: phaseTable(phases) },
    { title: 'CPU, ms per transfer', table: wideTable(phases, ({ cpuMs }) => cpuMs) },
    {
      title: 'Memory at the end of the phase, MB',
      table: wideTable(phases, ({ memoryMb }) => memoryMb),
    },
    {
      title: 'Written to disk, kB per transfer',
      table: wideTable(phases, ({ storedKb }) => storedKb),
    },
    { title: 'Histories of one transfer, all changed', table: historyTable(result) },
    { title: 'While workers changed', table: stretchTable(result) },
    {
      title: 'Statements of one transfer at our database, all changed',
      table: statementTable(latest),
    },
  ];
}

function phaseTable(phases: readonly PhaseResult[]): string[][] {
  const head = [
    'phase',
    'transfers',
    's',
    'transfers/s',
    'wait p50 s',
    'p95 s',
    'max s',
    'statements',
  ];
  return [
    head,
    ...phases.map((phase) => [
      phase.name,
      String(phase.transfers),
      short(phase.seconds),
      short(phase.transfersPerSecond),
      short(phase.waitSeconds.p50),
      short(phase.waitSeconds.p95),
      short(phase.waitSeconds.max),
      short(phase.statementsPerTransfer),
    ]),
  ];
}

function wideTable(
  phases: readonly PhaseResult[],
  pick: (phase: PhaseResult) => Readonly<Record<string, number | undefined>>,
): string[][] {
  const names = Object.keys(phases[0] === undefined ? {} : pick(phases[0]));
  return [
    ['phase', ...names],
    ...phases.map((phase) => [phase.name, ...names.map((name) => short(pick(phase)[name]))]),
  ];
}

function historyTable({ histories }: SimulationResult): string[][] {
  const lines = [...histories].map(([type, size]) => [
    type,
    ...[size.workflows, size.events, size.bytes, size.activities, size.lostTasks].map(short),
  ]);
  return [['workflow', 'runs', 'events', 'bytes', 'activities', 'lost workflow tasks'], ...lines];
}

function stretchTable({ stretches }: SimulationResult): string[][] {
  return [
    ['since', 'workers', 's', 'models planned + ended', 'of them a second'],
    ...stretches.map(({ what, workers, seconds, steps }) => [
      what,
      String(workers),
      short(seconds),
      String(steps),
      short(steps / seconds),
    ]),
  ];
}

function statementTable(phase: PhaseResult | undefined): string[][] {
  const transfers = phase?.transfers ?? 1;
  const lines = (phase?.statements ?? [])
    .filter(({ calls }) => calls / transfers >= 0.05)
    .slice(0, statementsShown)
    .map(({ calls, ms, text }) => [
      short(calls / transfers),
      (ms / transfers).toFixed(3),
      text.slice(0, statementCharsMax),
    ]);
  return [['times', 'ms', 'statement'], ...lines];
}

export function short(value: number | undefined): string {
  if (value === undefined) return 'not known here';
  return value >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toFixed(2);
}
