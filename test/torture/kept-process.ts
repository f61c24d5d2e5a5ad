import { setTimeout as sleep } from 'node:timers/promises';
import { startChild, type Child } from '../../bin/child.ts';
import { Failure } from '../../domain/failure.ts';

/** A process of ours that is started again whenever it ends, as an operator's supervisor does. */
export interface KeptProcess extends AsyncDisposable {
  readonly name: string;
  /** Resolves when it is gone; by then the next one is on its way. */
  kill(): Promise<void>;
  /** Stops it in its tracks for so long; one that is killed meanwhile is not woken. */
  freeze(ms: number): Promise<void>;
  /** The last of what all of its processes have printed. */
  lines(): readonly string[];
}

export interface KeptOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly onPid: (name: string, pid: number) => void;
  /** What it prints once it works. */
  readonly saysWhenReady: string;
}

const pauseMs = 300;
const startMs = 120_000;
const keptLines = 400;

/** Resolves when the first one works; one that ends before is started again, for a while. */
export async function keepProcess(options: KeptOptions): Promise<KeptProcess> {
  const { name, command, args, env } = options;
  const lines: string[] = [];
  const ready = Promise.withResolvers<void>();
  let isOver = false;
  const start = async () => {
    const child = await startChild({
      command,
      args,
      env,
      output: {
        onLine: (line) => {
          lines.push(line);
          if (lines.length > keptLines) lines.shift();
          if (line.includes(options.saysWhenReady)) ready.resolve();
        },
      },
    });
    options.onPid(name, child.pid);
    return child;
  };
  let child: Child = await start();
  const kept = (async () => {
    while (!isOver) {
      await child.exited;
      await sleep(pauseMs);
      if (!isOver) child = await start();
    }
  })();
  const end = async (one: Child) => {
    // A frozen process is killed as it is.
    if (!one.hasExited()) await one.stop('SIGKILL', 0);
  };
  const stop = async () => {
    isOver = true;
    await end(child);
    await kept;
    await end(child);
  };
  const late = sleep(startMs, undefined, { ref: false }).then(() => 'late' as const);
  if ((await Promise.race([ready.promise, late])) === 'late') {
    await stop();
    throw new Failure('unavailable', `${name} does not start.\n${lines.slice(-10).join('\n')}`);
  }
  return {
    name,
    kill: () => end(child),
    async freeze(ms) {
      const frozen = child;
      frozen.signal('SIGSTOP');
      await sleep(ms);
      if (!frozen.hasExited()) frozen.signal('SIGCONT');
    },
    lines: () => lines,
    [Symbol.asyncDispose]: stop,
  };
}
