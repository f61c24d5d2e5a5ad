import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync, readFileSync, renameSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../domain/failure.ts';

/** A user without root's rights, for servers that refuse to run as root. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string | undefined;
  readonly account?: Account | undefined;
  /** Everything it prints: appended to a file, or handed over line by line. */
  readonly output: { readonly file: string } | { readonly onLine: (line: string) => void };
}

/** A started program that somebody has to stop. */
export interface Child {
  readonly pid: number;
  /** Settles when it has ended, with the way it ended in words: `exit code 1`. */
  readonly exited: Promise<string>;
  readonly hasExited: () => boolean;
  /** The last of what it printed. */
  readonly lastLines: () => string[];
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Asks with the signal, waits so long, then kills. Resolves when it has ended. */
  readonly stop: (signal: NodeJS.Signals, graceMs: number) => Promise<void>;
}

const keptLines = 40;
const logBytesMax = 10 * 1024 * 1024;

/**
 * Starts a program in a process group of its own, so that Ctrl-C in a terminal reaches only us and we
 * decide the order in which things stop. Fails with `unavailable` when it cannot be started.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const file = 'file' in options.output ? options.output.file : undefined;
  const log = file === undefined ? undefined : openLog(file);
  const sink = log ?? 'pipe';
  const stdio: StdioOptions = ['ignore', sink, sink];
  const child = spawn(options.command, [...options.args], {
    stdio,
    env: options.env,
    detached: true,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...options.account,
  });
  if (log !== undefined) closeSync(log);
  const lines: string[] = [];
  if ('onLine' in options.output) followLines(child, lines, options.output.onLine);
  await started(child, options.command);
  return describeChild(child, () => (file === undefined ? lines : tail(file)));
}

function describeChild(child: ChildProcess, lastLines: () => string[]): Child {
  const pid = child.pid ?? 0;
  const hasExited = () => child.exitCode !== null || child.signalCode !== null;
  const exited = waitForExit(child, hasExited);
  return {
    pid,
    exited,
    hasExited,
    lastLines,
    signal: (signal) => void child.kill(signal),
    stop: async (signal, graceMs) => {
      if (hasExited()) return;
      child.kill(signal);
      const timer = new AbortController();
      await Promise.race([
        exited,
        sleep(graceMs, undefined, { signal: timer.signal }).catch(() => undefined),
      ]);
      timer.abort();
      if (!hasExited()) child.kill('SIGKILL');
      await exited;
    },
  };
}

async function waitForExit(child: ChildProcess, hasExited: () => boolean): Promise<string> {
  if (!hasExited()) await once(child, 'exit');
  return child.signalCode === null ? `exit code ${child.exitCode}` : `signal ${child.signalCode}`;
}

async function started(child: ChildProcess, command: string): Promise<void> {
  try {
    await once(child, 'spawn');
  } catch (cause) {
    throw new Failure('unavailable', `${command} could not be started: ${errorText(cause)}`, {
      cause,
    });
  }
}

function followLines(child: ChildProcess, lines: string[], onLine: (line: string) => void): void {
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => {
      lines.push(line);
      if (lines.length > keptLines) lines.shift();
      onLine(line);
    });
  }
}

/** Opened for appending; a file that has grown too large becomes `<file>.1` first. */
function openLog(file: string): number {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > logBytesMax) renameSync(file, `${file}.1`);
  return openSync(file, 'a', 0o600);
}

function tail(file: string): string[] {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-keptLines);
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
