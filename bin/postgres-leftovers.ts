import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const fastStopMs = 15_000;
const killMs = 5000;
const pollMs = 50;

/**
 * Ends what a killed run left behind on a data folder: the server itself, or backends that outlived it
 * and still hold its shared memory. Then removes its lock file, which Postgres would otherwise honour
 * whenever its number has been given to another process of ours.
 */
export async function endPostgresLeftovers(
  cluster: string,
  say: (line: string) => void,
): Promise<void> {
  const found = listProcesses(cluster);
  if (found.length > 0) {
    say(`Ending the Postgres that an earlier run left behind in ${cluster} …`);
    const main = readLockFile(cluster)?.pid;
    if (main !== undefined && found.includes(main)) {
      sendSignal(main, 'SIGINT');
      await waitUntilGone(cluster, fastStopMs);
    }
    await killPostgres(cluster);
  }
  rmSync(path.join(cluster, 'postmaster.pid'), { force: true });
}

/** Kills every process of the server on this data folder, as a power cut would, and waits for their end. */
export async function killPostgres(cluster: string): Promise<void> {
  killPostgresNow(cluster);
  await waitUntilGone(cluster, killMs);
}

/** The same without waiting, for the last moment of a process. */
export function killPostgresNow(cluster: string): void {
  for (const pid of listProcesses(cluster)) sendSignal(pid, 'SIGKILL');
}

/** What a server says about itself in its data folder; undefined while there is nothing to read. */
export function readLockFile(cluster: string): { pid: number; status: string } | undefined {
  try {
    const lines = readFileSync(path.join(cluster, 'postmaster.pid'), 'utf8').split('\n');
    return { pid: Number(lines[0]), status: (lines[7] ?? '').trim() };
  } catch {
    return undefined;
  }
}

/** Every process of a Postgres server works in the server's data folder, which tells it from all others. */
function listProcesses(cluster: string): number[] {
  if (process.platform === 'linux') return listByFolder(cluster);
  const pid = readLockFile(cluster)?.pid;
  return pid !== undefined && commandOf(pid).includes(cluster) ? [pid] : [];
}

function commandOf(pid: number): string {
  try {
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

function listByFolder(cluster: string): number[] {
  const numbers = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return numbers.map(Number).filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === cluster && isPostgres(pid);
    } catch {
      return false;
    }
  });
}

/** A shell that somebody left standing in the data folder is not ours to end. */
function isPostgres(pid: number): boolean {
  return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('postgres');
}

async function waitUntilGone(cluster: string, limitMs: number): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (Date.now() < deadline && listProcesses(cluster).length > 0) await sleep(pollMs);
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself in the meantime.
  }
}
