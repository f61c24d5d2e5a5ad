import { existsSync, readdirSync, statSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { endPostgresLeftovers } from '../../bin/postgres-leftovers.ts';
import {
  endRecordedProcesses,
  isRecordedRunning,
  recordProcesses,
} from '../../bin/process-records.ts';

const prefix = 'waybill-test-';
const quiet = () => undefined;

/** The folder of one test run. Servers that outlive a killed run are found and ended by the next one. */
export async function createRunFolder(): Promise<string> {
  const base = openBase();
  await removeAbandoned(base);
  const folder = await mkdtemp(path.join(base, prefix));
  // Postgres runs under another user when we are root, and has to get in.
  await chmod(folder, 0o755);
  recordProcesses(path.join(folder, 'owner.json'), new Map([['test run', process.pid]]));
  return folder;
}

/** Ends every server that still works in the folder, and removes it. */
export async function removeRunFolder(folder: string): Promise<void> {
  await endRecordedProcesses(path.join(folder, 'processes.json'), { graceMs: 0, say: quiet });
  for (const each of readdirSync(folder)) {
    const cluster = path.join(folder, each, 'cluster');
    if (existsSync(cluster)) await endPostgresLeftovers(cluster, quiet);
  }
  await rm(folder, { recursive: true, force: true });
}

/** A folder for one server of its own inside the run's folder. */
export async function createServerFolder(runFolder: string, name: string): Promise<string> {
  const folder = await mkdtemp(path.join(runFolder, `${name}-`));
  await chmod(folder, 0o755);
  await mkdir(folder, { recursive: true });
  return folder;
}

async function removeAbandoned(base: string): Promise<void> {
  for (const name of readdirSync(base)) {
    const folder = path.join(base, name);
    const owner = path.join(folder, 'owner.json');
    if (name.startsWith(prefix) && existsSync(owner) && !isRecordedRunning(owner))
      await removeRunFolder(folder);
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
