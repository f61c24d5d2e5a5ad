import { fileURLToPath } from 'node:url';
import { startChild, type Child } from '../../bin/child.ts';
import { Failure } from '../../domain/failure.ts';

/** Worker processes that come and go. */
export interface Crew {
  /** Resolves when it works. @returns its process id */
  add(): Promise<number>;
  /** Asks the one that works longest to hand back, and waits until it has gone. */
  retire(): Promise<void>;
  /** Kills the one that works longest, as a power cut would. */
  kill(): Promise<void>;
  pids(): number[];
}

const drainMs = 60_000;
const startMs = 120_000;

export interface CrewOptions {
  /** The program that each worker runs. */
  readonly program: URL;
  readonly env: NodeJS.ProcessEnv;
}

export function createCrew({ program, env }: CrewOptions, stack: AsyncDisposableStack): Crew {
  const working: Child[] = [];
  stack.defer(async () => {
    await Promise.all(working.map((child) => child.stop('SIGTERM', drainMs)));
  });
  const leave = async (signal: 'SIGTERM' | 'SIGKILL') => {
    const child = working.shift();
    await child?.stop(signal, drainMs);
  };
  return {
    async add() {
      const lines = Promise.withResolvers<void>();
      const child = await startChild({
        command: process.execPath,
        args: [fileURLToPath(program)],
        env,
        output: {
          onLine: (line) => {
            if (line.includes('worker started')) lines.resolve();
          },
        },
      });
      working.push(child);
      const said = () => child.lastLines().join('\n');
      const fail = (how: string) =>
        lines.reject(new Failure('unavailable', `A worker did not start (${how}).\n${said()}`));
      const timer = setTimeout(() => fail(`silent for ${startMs / 1000} s`), startMs);
      void child.exited.then(fail);
      await lines.promise.finally(() => clearTimeout(timer));
      return child.pid;
    },
    retire: () => leave('SIGTERM'),
    kill: () => leave('SIGKILL'),
    pids: () => working.map(({ pid }) => pid),
  };
}

/** A program that prints its port first. */
export async function startOnPort(
  program: URL,
  env: NodeJS.ProcessEnv,
  stack: AsyncDisposableStack,
): Promise<{ port: number; pid: number }> {
  const first = Promise.withResolvers<string>();
  const child = await startChild({
    command: process.execPath,
    args: ['--max-old-space-size=8192', fileURLToPath(program)],
    env,
    output: { onLine: (line) => first.resolve(line) },
  });
  stack.defer(() => child.stop('SIGKILL', 0));
  void child.exited.then((how) => first.reject(new Failure('unavailable', `It ended: ${how}.`)));
  return { port: Number(await first.promise), pid: child.pid };
}
