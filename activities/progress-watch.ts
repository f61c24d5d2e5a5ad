import { Failure } from '../domain/failure.ts';
import type { StepDeps } from './deps.ts';

export interface ProgressWatch extends Disposable {
  /** Aborted with the step, and when nothing has been touched for too long. */
  readonly signal: AbortSignal;
  touch(): void;
  /**
   * Waits for the work, but not for what hangs on a connection that has fallen silent: where the watch has
   * ended it, the reason is thrown at once.
   */
  guard<T>(work: Promise<T>): Promise<T>;
}

/** A ticker proves that the process lives; this proves that rows move. */
export function watchProgress({ signal, limits }: StepDeps): ProgressWatch {
  const stuck = new AbortController();
  const minutes = Math.round(limits.progressMs / 60_000);
  const ended = new Promise<never>((_, reject) => {
    stuck.signal.addEventListener('abort', () => reject(stuck.signal.reason));
  });
  ended.catch(() => undefined);
  const giveUp = () =>
    stuck.abort(new Failure('no_progress', `No batch was committed for ${minutes} minutes.`));
  let timer = setTimeout(giveUp, limits.progressMs);
  let isOver = false;
  const stop = () => clearTimeout(timer);
  return {
    signal: AbortSignal.any([signal, stuck.signal]),
    touch() {
      stop();
      // Work that the watch has given up may still end.
      if (isOver) return;
      timer = setTimeout(giveUp, limits.progressMs);
    },
    guard: (work) => Promise.race([work, ended]),
    [Symbol.dispose]() {
      isOver = true;
      stop();
    },
  };
}
