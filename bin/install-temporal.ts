import { createWriteStream } from 'node:fs';
import { chmod, mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { lastLines, runCommand } from './run-command.ts';
import type { InstallRequest } from './temporal-binary.ts';

const answerTimeoutMs = 15_000;
const downloadTimeoutMs = 180_000;
const unpackTimeoutMs = 60_000;
const buildTimeoutMs = 20 * 60_000;
const progressEveryMs = 30_000;

const done = { failed: undefined };
const binaryName = process.platform === 'win32' ? 'temporal.exe' : 'temporal';

/** Fetches the official archive. A refusal shows at once, a silent line after 15 s. */
export async function downloadTemporal(
  request: InstallRequest,
): Promise<{ failed: string | undefined }> {
  request.say(`Downloading Temporal ${request.version} (about 60 MB, once) …`);
  return inOwnFolder(request, async (folder) => {
    const archive = path.join(folder, 'temporal.tar.gz');
    const failed = await download(archiveUrl(request.version), archive, request.signal);
    if (failed !== undefined) return { failed: `the official download failed (${failed})` };
    const unpacked = await runCommand('tar', ['-xzf', archive, '-C', folder], {
      timeoutMs: unpackTimeoutMs,
    });
    return unpacked.failed === undefined
      ? done
      : { failed: `the download cannot be unpacked (${unpacked.failed})` };
  });
}

/** Builds the pinned version from the Go module. Any Go will do that can fetch the toolchain it asks for. */
export async function buildTemporal(
  request: InstallRequest,
): Promise<{ failed: string | undefined }> {
  const go = await runCommand('go', ['version'], { env: request.env, timeoutMs: answerTimeoutMs });
  if (go.failed !== undefined) return { failed: `Go cannot be used (${go.failed})` };
  request.say(`Building Temporal ${request.version} with Go (two to three minutes, once) …`);
  const startedAt = Date.now();
  const timer = setInterval(() => {
    request.say(`  still building Temporal (${Math.round((Date.now() - startedAt) / 1000)} s)`);
  }, progressEveryMs);
  try {
    return await inOwnFolder(request, (folder) => goInstall(request, folder));
  } finally {
    clearInterval(timer);
  }
}

async function goInstall(
  request: InstallRequest,
  folder: string,
): Promise<{ failed: string | undefined }> {
  const { version, env } = request;
  // The caller's flags are meant for the caller's own modules. Without cgo no C compiler is needed.
  const goEnv = {
    ...env,
    GOBIN: folder,
    GOFLAGS: '',
    GOWORK: 'off',
    GOTOOLCHAIN: 'auto',
    CGO_ENABLED: '0',
  };
  const args = ['install', `github.com/temporalio/cli/cmd/temporal@v${version}`];
  const built = await runCommand('go', args, {
    env: goEnv,
    cwd: folder,
    signal: request.signal,
    timeoutMs: buildTimeoutMs,
  });
  if (built.failed === undefined) return done;
  return { failed: `the build with Go failed (${built.failed})\n${lastLines(built.stderr, 5)}` };
}

/** Works in a folder beside the target and renames at the end, so that two processes at once do no harm. */
async function inOwnFolder(
  request: InstallRequest,
  make: (folder: string) => Promise<{ failed: string | undefined }>,
): Promise<{ failed: string | undefined }> {
  const folder = await mkdtemp(path.join(path.dirname(request.file), '.new-'));
  try {
    const result = await make(folder);
    if (result.failed !== undefined) return result;
    const made = path.join(folder, binaryName);
    await chmod(made, 0o755);
    await rename(made, request.file);
    return done;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function archiveUrl(version: string): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  return `https://temporal.download/cli/archive/v${version}?platform=${platform}&arch=${arch}`;
}

/** Undefined when the file is complete, else why it is not. */
async function download(
  url: string,
  file: string,
  caller: AbortSignal | undefined,
): Promise<string | undefined> {
  const abort = new AbortController();
  const signal = AbortSignal.any([abort.signal, ...(caller === undefined ? [] : [caller])]);
  let timer = setTimeout(() => abort.abort(new Error('no answer')), answerTimeoutMs);
  try {
    const response = await fetch(url, { signal });
    if (!response.ok || response.body === null) return `HTTP status ${response.status}`;
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(new Error('too slow')), downloadTimeoutMs);
    await pipeline(Readable.fromWeb(response.body), createWriteStream(file));
    return undefined;
  } catch (error) {
    return failureText(error);
  } finally {
    clearTimeout(timer);
  }
}

/** `fetch` wraps what happened into "fetch failed"; the reason is one or two causes deeper. */
function failureText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? failureText(error.cause) : error.message;
}
