import { Failure } from '../domain/failure.ts';
import type { StepDeps } from './deps.ts';

export interface ProgressWatch extends Disposable {
  /** Aborted with the step, and when nothing has been touched for too long. */
  readonly signal: AbortSignal;
  touch(): void;
  /** Waits for the work; where the watch ended it, the reason is thrown and not its echo. */
  guard(work: Promise<void>): Promise<void>;
}

/** A ticker proves that the process lives; this proves that rows move. */
export function watchProgress({ signal, limits }: StepDeps): ProgressWatch {
  const stuck = new AbortController();
  const minutes = Math.round(limits.progressMs / 60_000);
  const giveUp = () =>
    stuck.abort(new Failure('no_progress', `No batch was committed for ${minutes} minutes.`));
  let timer = setTimeout(giveUp, limits.progressMs);
  const stop = () => clearTimeout(timer);
  return {
    signal: AbortSignal.any([signal, stuck.signal]),
    touch() {
      stop();
      timer = setTimeout(giveUp, limits.progressMs);
    },
    async guard(work) {
      try {
        await work;
      } catch (error) {
        throw stuck.signal.aborted ? stuck.signal.reason : error;
      }
    },
    [Symbol.dispose]: stop,
  };
}
