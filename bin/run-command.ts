import { execFile } from 'node:child_process';
import type { Account } from './child.ts';

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly cwd?: string | undefined;
  readonly account?: Account | undefined;
  /** Kills the command. */
  readonly signal?: AbortSignal | undefined;
  /** The command is killed after so long. */
  readonly timeoutMs: number;
}

/** How a command ended. `failed` is undefined after exit code 0, else says in words what happened. */
export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly failed: string | undefined;
}

/** Runs a command to its end. Never throws: a command that is missing or fails is a result too. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const { timeoutMs, account, env, cwd, signal } = options;
  return new Promise((resolve) => {
    const settings = {
      timeout: timeoutMs,
      killSignal: 'SIGKILL' as const,
      maxBuffer: 64 * 1024 * 1024,
      ...(env === undefined ? {} : { env }),
      ...(cwd === undefined ? {} : { cwd }),
      ...(signal === undefined ? {} : { signal }),
      ...account,
    };
    execFile(command, [...args], settings, (error, stdout, stderr) => {
      resolve({ stdout, stderr, failed: error === null ? undefined : describe(error, timeoutMs) });
    });
  });
}

function describe(error: Error & { code?: unknown; killed?: boolean }, timeoutMs: number): string {
  if (error.killed === true) return `no answer within ${timeoutMs / 1000} s`;
  if (error.code === 'ENOENT') return 'not installed';
  if (error.code === 'EACCES') return 'not allowed to run it';
  return typeof error.code === 'number' ? `exit code ${error.code}` : error.message;
}

/** The last lines of what a command said, for a message to people. */
export function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
