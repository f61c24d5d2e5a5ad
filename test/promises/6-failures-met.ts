import type { System } from '../harness/system.ts';

/** A failure that a step met and logged, and that may have been retried since. */
export interface FailureMet {
  readonly kind: string;
  readonly code: string;
  /** The sentence. */
  readonly msg: string;
}

/** What the steps of a transfer have met so far. */
export function failuresMet({ logged }: System, transferId: string): FailureMet[] {
  return logged
    .map((line) => JSON.parse(line) as Partial<FailureMet> & { workflow?: string })
    .filter(({ kind, workflow }) => kind !== undefined && workflow?.includes(transferId) === true)
    .map(({ kind = '', code = '', msg = '' }) => ({ kind, code, msg }));
}
