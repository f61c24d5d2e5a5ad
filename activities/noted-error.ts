import { Failure, toErrorObject, type ErrorObject } from '../domain/failure.ts';
import type { FailureNote } from '../domain/steps.ts';

/** The failure of a step, as its workflow noted it, in the form that is stored. */
export function notedError({ kind, code, message, detail }: FailureNote): ErrorObject {
  return toErrorObject(new Failure(kind, message, { code, detail }));
}
