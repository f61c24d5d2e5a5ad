import { describe, expect, test } from 'vitest';
import { pauseBeforeStart, supervise, type Running } from './supervisor.ts';

test('the pause before a start grows to a limit', () => {
  expect([1, 2, 3, 4, 5, 6, 50].map(pauseBeforeStart)).toEqual([
    500, 1000, 2000, 4000, 8000, 15_000, 15_000,
  ]);
});

/** Programs that end when told to, numbered from 1. */
function fakeProgram(failingStarts: readonly number[] = []) {
  const ends: ((how: string) => void)[] = [];
  const said: string[] = [];
  const pids: number[] = [];
  let starts = 0;
  const start = async (): Promise<Running> => {
    starts += 1;
    if (failingStarts.includes(starts)) throw new Error(`start ${starts} fails`);
    const { promise, resolve } = Promise.withResolvers<string>();
    ends.push(resolve);
    return { pid: starts, exited: promise, stop: async () => resolve('asked to') };
  };
  return {
    said,
    pids,
    endLast: (how: string) => ends.at(-1)?.(how),
    starts: () => starts,
    supervised: () =>
      supervise(
        { role: 'worker', title: 'The worker', start },
        { say: (line) => void said.push(line), onStarted: (_role, pid) => void pids.push(pid) },
      ),
  };
}

describe('supervise', () => {
  test('starts again what ended, and says so', async () => {
    const program = fakeProgram();
    await using supervised = await program.supervised();
    program.endLast('signal SIGKILL');
    await expect.poll(() => program.pids, { timeout: 3000 }).toEqual([1, 2]);
    expect(supervised.pid()).toBe(2);
    expect(supervised.deaths()).toBe(1);
    expect(program.said).toEqual([
      'The worker ended (signal SIGKILL).',
      'The worker is started again in 0.5 s …',
      'The worker runs again (process 2).',
    ]);
  });

  test('tries on after a start that fails', async () => {
    const program = fakeProgram([2]);
    await using supervised = await program.supervised();
    program.endLast('exit code 1');
    await expect.poll(() => program.pids, { timeout: 5000 }).toEqual([1, 3]);
    expect(program.said).toContain('The worker could not be started: start 2 fails');
    expect(supervised.deaths()).toBe(1);
  });

  test('fails when the first start does', async () => {
    await expect(fakeProgram([1]).supervised()).rejects.toThrow('start 1 fails');
  });

  test('does not start again what it was asked to stop, not even in the pause', async () => {
    const program = fakeProgram();
    const supervised = await program.supervised();
    program.endLast('exit code 1');
    await expect.poll(() => program.said.length).toBe(2);
    await supervised[Symbol.asyncDispose]();
    expect(program.starts()).toBe(1);
  });
});
