import { mkdir, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { Failure } from '../domain/failure.ts';
import { buildTemporal, downloadTemporal } from './install-temporal.ts';
import { runCommand } from './run-command.ts';

/** The newest version that `go install` accepts; the official download is the same one. */
export const temporalVersion = '1.5.1';

export interface TemporalBinaryOptions {
  /** The environment: TEMPORAL_CLI_PATH, PATH, and where caches live. */
  readonly env: NodeJS.ProcessEnv;
  /** Told, in one line each, which binary is used and what is being fetched or built. */
  readonly say: (line: string) => void;
  /** Gives up fetching and building. */
  readonly signal?: AbortSignal | undefined;
  /** Ways to fetch the binary, in order. For tests; the official download and Go by default. */
  readonly installers?: readonly Installer[];
}

/** Puts an executable at `file` or says in a few words why it cannot. */
export type Installer = (
  request: InstallRequest,
) => Promise<{ readonly failed: string | undefined }>;

export interface InstallRequest {
  readonly file: string;
  readonly version: string;
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal | undefined;
}

const answerTimeoutMs = 5000;
const executable = process.platform === 'win32' ? 'temporal.exe' : 'temporal';

/**
 * The path of a Temporal command line that answers: TEMPORAL_CLI_PATH, else `temporal` on PATH, else our
 * cache, else fetched into the cache once. Fails with `config_invalid` when TEMPORAL_CLI_PATH is wrong,
 * with `unavailable` and what to install when there is no way to get one.
 */
export async function findTemporalBinary(options: TemporalBinaryOptions): Promise<string> {
  const { env, say } = options;
  const named = env['TEMPORAL_CLI_PATH'];
  if (named !== undefined && named !== '') return checkNamed(named, env);
  if ((await whyNot(executable, env)) === undefined) return executable;
  const cached = path.join(cacheFolder(env), 'temporal', temporalVersion, executable);
  if ((await whyNot(cached, env)) === undefined) return cached;
  await rm(cached, { force: true });
  await mkdir(path.dirname(cached), { recursive: true });
  const installers = options.installers ?? [downloadTemporal, buildTemporal];
  const reasons: string[] = [];
  for (const install of installers) {
    const request = { file: cached, version: temporalVersion, env, say, signal: options.signal };
    const { failed } = await install(request);
    options.signal?.throwIfAborted();
    const reason = failed ?? (await whyNot(cached, env));
    if (reason === undefined) return cached;
    say(`  not possible: ${reason}`);
    reasons.push(reason);
  }
  throw new Failure('unavailable', nothingWorked(reasons));
}

/** Keeps what is fetched once, shared by every clone of a user: WAYBILL_CACHE_DIR, else the user's cache. */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  const own = env['WAYBILL_CACHE_DIR'];
  if (own !== undefined && own !== '') return path.resolve(own);
  const shared = env['XDG_CACHE_HOME'];
  const base =
    shared !== undefined && path.isAbsolute(shared) ? shared : path.join(homedir(), '.cache');
  return path.join(base, 'waybill');
}

async function checkNamed(file: string, env: NodeJS.ProcessEnv): Promise<string> {
  const reason = await whyNot(file, env);
  if (reason === undefined) return file;
  throw new Failure(
    'config_invalid',
    `TEMPORAL_CLI_PATH names ${file}, which does not answer \`--version\` (${reason}). ` +
      'Correct it or unset it.',
  );
}

async function whyNot(file: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const { stdout, failed } = await runCommand(file, ['--version'], {
    env,
    timeoutMs: answerTimeoutMs,
  });
  if (failed !== undefined) return failed;
  return stdout.startsWith('temporal version') ? undefined : 'it is not the Temporal command line';
}

function nothingWorked(reasons: readonly string[]): string {
  return (
    `No Temporal server could be had (${reasons.join('; ')}). Install the Temporal command line ` +
    `(https://docs.temporal.io/cli) or Go 1.25 or newer (https://go.dev/dl), and start again; or name an ` +
    'existing binary with TEMPORAL_CLI_PATH.'
  );
}
