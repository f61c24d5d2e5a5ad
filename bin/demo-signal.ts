import { Failure } from '../domain/failure.ts';

export interface StopRequest {
  readonly signal: AbortSignal;
  /** Resolves when somebody asks us to stop. */
  readonly asked: Promise<void>;
}

/** Ctrl-C, SIGTERM and SIGHUP ask; a second one changes nothing, since all that follows is bounded. */
export function stopOnSignal(): StopRequest {
  const controller = new AbortController();
  const asked = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        controller.abort(new Failure('cancelled', `Stopped by ${signal}.`));
        resolve();
      });
    }
  });
  return { signal: controller.signal, asked };
}
