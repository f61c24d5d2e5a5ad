import { setTimeout as sleep } from 'node:timers/promises';

/** A program that runs now. */
export interface Running {
  readonly pid: number;
  /** Settles when it has ended, with the way it ended in words. */
  readonly exited: Promise<string>;
  stop(): Promise<void>;
}

/** A program that is to run until we stop it. */
export interface Service {
  readonly role: string;
  /** For people, to begin a sentence: `The worker`. */
  readonly title: string;
  /** Resolves when it runs, fails when it cannot. Called again each time it has ended. */
  start(): Promise<Running>;
}

export interface SupervisorHooks {
  readonly say: (line: string) => void;
  /** After each start, the first one included. */
  readonly onStarted: (role: string, pid: number) => void;
}

export interface Supervised extends AsyncDisposable {
  pid(): number;
  /** How often it has ended without being asked. */
  deaths(): number;
}

const pauseMsMin = 500;
const pauseMsMax = 15_000;
const steadyMs = 60_000;

/** How long to wait before the nth start in a row: twice as long each time, 15 s at most. */
export function pauseBeforeStart(failuresInARow: number): number {
  return Math.min(pauseMsMax, pauseMsMin * 2 ** Math.max(0, failuresInARow - 1));
}

/** Starts the service, and again whenever it ends, until disposed of. Fails when the first start does. */
export async function supervise(service: Service, hooks: SupervisorHooks): Promise<Supervised> {
  const { role, title } = service;
  const { say } = hooks;
  const stopping = new AbortController();
  let deaths = 0;
  let failuresInARow = 0;
  let startedAt = Date.now();
  let running = await service.start();
  hooks.onStarted(role, running.pid);

  async function startAgain(): Promise<boolean> {
    const pause = pauseBeforeStart(failuresInARow);
    say(`${title} is started again in ${pause / 1000} s …`);
    await sleep(pause, undefined, { signal: stopping.signal }).catch(() => undefined);
    if (stopping.signal.aborted) return false;
    startedAt = Date.now();
    try {
      running = await service.start();
    } catch (error) {
      say(
        `${title} could not be started: ${error instanceof Error ? error.message : String(error)}`,
      );
      return false;
    }
    hooks.onStarted(role, running.pid);
    say(`${title} runs again (process ${running.pid}).`);
    return true;
  }

  async function keepRunning(): Promise<void> {
    while (!stopping.signal.aborted) {
      const how = await running.exited;
      if (stopping.signal.aborted) return;
      deaths += 1;
      failuresInARow = Date.now() - startedAt > steadyMs ? 1 : failuresInARow + 1;
      say(`${title} ended (${how}).`);
      while (!stopping.signal.aborted && !(await startAgain())) failuresInARow += 1;
    }
  }

  const kept = keepRunning();
  return {
    pid: () => running.pid,
    deaths: () => deaths,
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await running.stop();
      // A start that was under way has made another one by now.
      await kept;
      await running.stop();
    },
  };
}
