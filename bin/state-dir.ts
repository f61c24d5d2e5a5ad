import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../domain/failure.ts';

/** What is made once per state folder and must stay the same. */
export interface Secrets {
  readonly postgresPassword: string;
  /** In the form of WAYBILL_KEY. */
  readonly sealKey: string;
  readonly apiKeys?: { readonly prod: string; readonly staging: string };
}

/** The folder that holds everything a system on this machine keeps. One system at a time uses it. */
export interface StateDir {
  readonly path: string;
  file(name: string): string;
  readSecrets(): Secrets;
  writeSecrets(secrets: Secrets): void;
  /** Tells a second start that waiting is worth while. */
  markStopping(): void;
  close(): void;
}

const pollMs = 250;
/** A run whose starter was killed learns of it a moment later, and begins to stop. */
const refuseAfterMs = 1500;
const waitForStopMs = 60_000;

/** Makes the folder or takes it over. Fails with `conflict` while another system runs in it. */
export async function openStateDir(folder: string, say: (line: string) => void): Promise<StateDir> {
  const root = path.resolve(folder);
  mkdirSync(root, { recursive: true });
  // Postgres may run under another user and has to pass through; it need not see what else is here.
  chmodSync(root, 0o711);
  const file = (name: string) => path.join(root, name);
  const lock = await takeLock(file, say);
  writeOwner(file('owner.json'), 'running');
  return {
    path: root,
    file,
    readSecrets: () => readJson<Secrets>(file('secrets.json')) ?? makeSecrets(file('secrets.json')),
    writeSecrets: (secrets) => writeJson(file('secrets.json'), secrets),
    markStopping: () => writeOwner(file('owner.json'), 'stopping'),
    close: () => {
      rmSync(file('owner.json'), { force: true });
      lock.close();
    },
  };
}

/** Written whole or not at all, readable by us only. */
export function writeJson(file: string, value: unknown): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function readJson<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new Failure(
      'config_invalid',
      `${file} cannot be read. Correct it, or remove its folder to begin anew.`,
      {
        cause: error,
      },
    );
  }
}

interface Owner {
  readonly pid: number;
  readonly state: 'running' | 'stopping';
}

async function takeLock(
  file: (name: string) => string,
  say: (line: string) => void,
): Promise<DatabaseSync> {
  const startedAt = Date.now();
  let told = false;
  for (;;) {
    const lock = tryLock(file('lock.db'));
    if (lock !== undefined) return lock;
    const owner = readJson<Owner>(file('owner.json'));
    const waited = Date.now() - startedAt;
    const limit = owner?.state === 'stopping' ? waitForStopMs : refuseAfterMs;
    if (waited > limit) throw inUse(file('.'), owner);
    if (owner?.state === 'stopping' && !told) say('Waiting for the earlier run to stop …');
    told ||= owner?.state === 'stopping';
    await sleep(pollMs);
  }
}

/** A lock of the operating system, which ends with the process that holds it however it ends. */
function tryLock(file: string): DatabaseSync | undefined {
  const database = new DatabaseSync(file);
  try {
    database.exec('begin exclusive');
    return database;
  } catch {
    database.close();
    return undefined;
  }
}

function inUse(folder: string, owner: Owner | undefined): Failure {
  const who = owner === undefined ? '' : ` (process ${owner.pid})`;
  return new Failure(
    'conflict',
    `Waybill already runs in ${folder}${who}. Use it, stop it, or start another ` +
      'with --state-dir and other ports.',
  );
}

function writeOwner(file: string, state: Owner['state']): void {
  writeJson(file, { pid: process.pid, state } satisfies Owner);
}

function makeSecrets(file: string): Secrets {
  const secrets: Secrets = {
    postgresPassword: randomBytes(18).toString('base64url'),
    sealKey: `dev:${randomBytes(32).toString('base64url')}`,
  };
  writeJson(file, secrets);
  return secrets;
}
