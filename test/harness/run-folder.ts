import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { killPostgresNow } from '../../bin/postgres-leftovers.ts';
import {
  killRecordedProcesses,
  isRecordedRunning,
  recordProcesses,
} from '../../bin/process-records.ts';

const prefix = 'waybill-test-';

/** The folder of one test run. Servers that outlive a killed run are found and ended by the next one. */
export async function createRunFolder(): Promise<string> {
  const base = openBase();
  removeAbandoned(base);
  const folder = await mkdtemp(path.join(base, prefix));
  // Postgres runs under another user when we are root, and has to get in.
  await chmod(folder, 0o755);
  recordProcesses(path.join(folder, 'owner.json'), new Map([['test run', process.pid]]));
  return folder;
}

/** Kills every server that still works in the folder, and removes it. At once: it may be our last moment. */
export function removeRunFolder(folder: string): void {
  if (!existsSync(folder)) return;
  killRecordedProcesses(path.join(folder, 'processes.json'));
  for (const each of readdirSync(folder)) {
    const cluster = path.join(folder, each, 'cluster');
    if (existsSync(cluster)) killPostgresNow(cluster);
  }
  // What was killed may write a last file while its folder is being emptied.
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

function removeAbandoned(base: string): void {
  for (const name of readdirSync(base)) {
    const folder = path.join(base, name);
    const owner = path.join(folder, 'owner.json');
    if (name.startsWith(prefix) && existsSync(owner) && !isRecordedRunning(owner))
      removeRunFolder(folder);
  }
}

/** The first temporary folder that every user can enter. */
function openBase(): string {
  return [tmpdir(), '/var/tmp', '/tmp'].find(isOpenToAll) ?? tmpdir();
}

function isOpenToAll(folder: string): boolean {
  if (!existsSync(folder) || (statSync(folder).mode & 0o001) === 0) return false;
  const parent = path.dirname(folder);
  return parent === folder || isOpenToAll(parent);
}
