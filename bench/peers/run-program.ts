import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { lastLines } from '../../bin/run-command.ts';
import { Failure } from '../../domain/failure.ts';
import { readGroupMemory } from '../process-cost.ts';

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

const sampleMs = 100;
const keptChars = 20_000;

/**
 * Runs a program of others to its end, in a process group of its own that is killed as a whole when it is
 * stopped or takes too long. @returns the most memory that the group had, in MB, shared pages counted for
 * each process. @throws Failure `unavailable` with its last words where it fails
 */
export async function runProgram(program: Program): Promise<{ peakMb: number | undefined }> {
  program.signal.throwIfAborted();
  const child = spawn(program.command, [...program.args], {
    env: { ...process.env, ...program.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    ...(program.cwd === undefined ? {} : { cwd: program.cwd }),
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-keptChars);
    });
  }
  const kill = () => killGroup(child.pid);
  const limit = AbortSignal.any([program.signal, AbortSignal.timeout(program.timeoutMs)]);
  limit.addEventListener('abort', kill);
  try {
    const ended = new AbortController();
    const peak = watchMemory(child.pid ?? 0, ended.signal);
    const [code, signal] = (await once(child, 'exit').finally(() => ended.abort())) as [
      number,
      string,
    ];
    if (code === 0) return { peakMb: await peak };
    const how = limit.aborted ? 'stopped, or out of time' : (signal ?? `exit code ${code}`);
    throw new Failure('unavailable', `${program.command} failed (${how}). ${lastLines(said, 6)}`);
  } finally {
    limit.removeEventListener('abort', kill);
    kill();
  }
}

async function watchMemory(group: number, ended: AbortSignal): Promise<number | undefined> {
  let peak: number | undefined;
  while (!ended.aborted) {
    const now = await readGroupMemory(group);
    if (now !== undefined) peak = Math.max(peak ?? 0, now);
    await sleep(sampleMs, undefined, { signal: ended }).catch(() => undefined);
  }
  return peak;
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody of the group is left, which is what is wanted.
  }
}
