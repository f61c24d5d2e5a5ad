import type { ErrorObject } from './failure.ts';

/** The stored error with the link to its explanation. */
export function presentError(error: ErrorObject, publicUrl: string) {
  return {
    error_code: error.error_code,
    title: error.title,
    blame: error.blame,
    documentation_url: `${publicUrl}/docs/errors#${error.error_code}`,
    message: error.message,
    trace: error.trace,
  };
}
