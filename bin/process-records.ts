import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { processIdentity } from './process-identity.ts';

/** One process that we started: enough to find it again after we were killed, and never to hit another. */
interface ProcessRecord {
  readonly role: string;
  readonly pid: number;
  readonly identity: string;
}

const pollMs = 50;
const killMs = 5000;

/** Written at once and whole, before anything else can happen to us. */
export function recordProcesses(file: string, pids: ReadonlyMap<string, number>): void {
  const records: ProcessRecord[] = [];
  for (const [role, pid] of pids) {
    const identity = processIdentity(pid);
    if (identity !== undefined) records.push({ role, pid, identity });
  }
  writeFileSync(`${file}.new`, JSON.stringify(records), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/**
 * Ends the recorded processes that still run, the last started first, each by SIGTERM and after the grace by
 * SIGKILL. A process that was given one of their numbers since is left alone.
 */
export async function endRecordedProcesses(
  file: string,
  options: { readonly graceMs: number; readonly say: (line: string) => void },
): Promise<void> {
  for (const record of readRecords(file).toReversed()) {
    if (!isRunning(record)) continue;
    options.say(
      `Ending the ${record.role} (process ${record.pid}) that an earlier run left behind …`,
    );
    sendSignal(record, 'SIGTERM');
    await waitWhileRunning(record, options.graceMs);
    sendSignal(record, 'SIGKILL');
    await waitWhileRunning(record, killMs);
  }
}

async function waitWhileRunning(record: ProcessRecord, limitMs: number): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (isRunning(record) && Date.now() < deadline) await sleep(pollMs);
}

/** Kills the recorded processes without waiting, for the last moment of a process. */
export function killRecordedProcesses(file: string): void {
  for (const record of readRecords(file)) sendSignal(record, 'SIGKILL');
}

/** True while a process named in the file still runs. */
export function isRecordedRunning(file: string): boolean {
  return readRecords(file).some(isRunning);
}

function readRecords(file: string): ProcessRecord[] {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessRecord[];
  } catch {
    // No earlier run, or one that was killed before it started anything.
    return [];
  }
}

function isRunning(record: ProcessRecord): boolean {
  return processIdentity(record.pid) === record.identity;
}

function sendSignal(record: ProcessRecord, signal: NodeJS.Signals): void {
  try {
    if (isRunning(record)) process.kill(record.pid, signal);
  } catch {
    // It ended by itself in the meantime.
  }
}
