/** Who has to act, in the words of the API (`blame` of the error object). */
export type Blame = 'first_party' | 'third_party' | 'host' | 'unknown';

/** `soon`: the same call may work in a moment. `after_change`: somebody has to change something first. */
export type Retry = 'soon' | 'after_change' | 'never';

/** The public codes, without their `WBL-` prefix, and the title each has for people. */
export const errorTitles = {
  AUTH: 'Login refused',
  HOST: 'Host name not found',
  CONN: 'Unreachable',
  TLSX: 'TLS failed',
  SSHX: 'SSH tunnel failed',
  PERM: 'A right is missing',
  MISS: 'Not found at the other end',
  BUSY: 'The other end is busy',
  QUOT: 'Out of space or quota',
  TYPE: 'A value does not fit its type',
  KEYS: 'The key is null or not unique',
  LMOD: 'The last-modified value cannot be used',
  QRYX: 'The source query failed',
  SCHM: 'The destination table is not as we left it',
  EVOL: 'The schema change is impossible',
  CONF: 'The model or the configuration is invalid',
  LIMT: 'A limit was reached',
  TIME: 'No progress',
  EXPD: 'Waited too long',
  ORPH: 'The worker was lost',
  CANC: 'Cancelled',
  INTL: 'Internal fault',
  UNKN: 'Unclassified fault',
} as const;

export type ErrorCode = keyof typeof errorTitles;

interface Policy {
  readonly retry: Retry;
  readonly blame: Blame;
  /** The code a failure of this kind has unless the thrower knows a more exact one. */
  readonly code: ErrorCode;
  /** What the one who is to blame can do about it. */
  readonly remedy: string;
}

/** May it be retried, who acts, the public code. */
function fault(retry: Retry, blame: Blame, code: ErrorCode) {
  return { remedy: (remedy: string): Policy => ({ retry, blame, code, remedy }) };
}

/** The one table: kind → may it be retried → who acts → public code → what to do. */
export const failurePolicies = {
  source_unreachable: fault('soon', 'first_party', 'CONN').remedy(
    'Check that the source is up and that its network lets Waybill in.',
  ),
  destination_unreachable: fault('soon', 'third_party', 'CONN').remedy(
    'Check that the destination is up and that its network lets Waybill in.',
  ),
  source_busy: fault('soon', 'first_party', 'BUSY').remedy('Nothing to do: Waybill tries again.'),
  destination_busy: fault('soon', 'third_party', 'BUSY').remedy(
    'Waybill tries again. If it lasts, look for long locks on the table.',
  ),
  no_progress: fault('soon', 'host', 'TIME').remedy(
    'Look for locks at the destination and for a slow query plan at the source.',
  ),
  unclassified: fault('soon', 'unknown', 'UNKN').remedy(
    'Report the code in the trace to the operator of Waybill.',
  ),
  unavailable: fault('soon', 'host', 'INTL').remedy(
    'Start what is named in the message and try again.',
  ),
  source_denied: fault('after_change', 'first_party', 'PERM').remedy(
    'Correct the login of the source or grant it what is missing.',
  ),
  destination_denied: fault('after_change', 'third_party', 'PERM').remedy(
    'Correct the login of the destination or grant it what is missing.',
  ),
  source_mismatch: fault('after_change', 'first_party', 'QRYX').remedy(
    'Make the model and the source table agree.',
  ),
  schema_conflict: fault('after_change', 'third_party', 'SCHM').remedy(
    'Change the table back, or move it out of the way and ask for a full refresh.',
  ),
  destination_missing: fault('after_change', 'third_party', 'MISS').remedy(
    'Ask for a full refresh: it makes the table again.',
  ),
  change_refused: fault('after_change', 'first_party', 'EVOL').remedy(
    'Add a column under a new name instead: only additive changes are applied.',
  ),
  value_refused: fault('after_change', 'first_party', 'TYPE').remedy(
    'Declare a wider type for the column, or correct the value at the source.',
  ),
  type_unsupported: fault('after_change', 'first_party', 'TYPE').remedy(
    'Declare another type for the column.',
  ),
  limit_reached: fault('after_change', 'host', 'LIMT').remedy(
    'Send less than the message names, or raise the limit where it is a setting.',
  ),
  config_invalid: fault('after_change', 'host', 'CONF').remedy(
    'Correct the setting that the message names.',
  ),
  fenced: fault('never', 'host', 'INTL').remedy('Nothing to do: a newer attempt carries on.'),
  cancelled: fault('never', 'first_party', 'CANC').remedy(
    'Start another transfer when you want the rows.',
  ),
  not_found: fault('never', 'first_party', 'CONF').remedy(
    'Check the id and the environment of the API key.',
  ),
  conflict: fault('never', 'first_party', 'CONF').remedy('Read the object again and decide anew.'),
  invalid: fault('never', 'first_party', 'CONF').remedy(
    'Correct the fields that the message names.',
  ),
  snapshot_missing: fault('never', 'host', 'INTL').remedy(
    'Submit the transfer again; report it if that happens twice.',
  ),
  bug: fault('never', 'host', 'INTL').remedy(
    'Report it to the operator of Waybill with the request or transfer id.',
  ),
} satisfies Record<string, Policy>;

export type FailureKind = keyof typeof failurePolicies;

/** One fault in the input, where it stands and what would be right. */
export interface Violation {
  /** Where, in the words of the request: `model.columns[2].data_type`. */
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

export interface FailureDetails {
  /** A more exact public code than the kind's own. */
  readonly code?: ErrorCode | undefined;
  /** For us only: SQLSTATE, routine, constraint. Never a row value, never a secret. */
  readonly detail?: string | undefined;
  /** What the other end asked us to wait before the next try. */
  readonly retryAfterMs?: number | undefined;
  readonly violations?: readonly Violation[] | undefined;
  /** The driver's error. It stays in this process: the activity interceptor strips it. */
  readonly cause?: unknown;
}

/**
 * Every failure that Waybill knows by name. `message` may be shown to the customer and holds no row
 * value and no secret; `detail` is for the operator's log.
 */
export class Failure extends Error {
  readonly kind: FailureKind;
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly violations: readonly Violation[];

  constructor(kind: FailureKind, message: string, details: FailureDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'Failure';
    this.kind = kind;
    this.code = details.code ?? failurePolicies[kind].code;
    this.detail = details.detail;
    this.retryAfterMs = details.retryAfterMs;
    this.violations = details.violations ?? [];
  }

  get policy(): Policy {
    return failurePolicies[this.kind];
  }
}

/**
 * What a driver said, beside the failure or finding and not in it: it may quote rows, and nothing that prints
 * or stores one can print it. Only endpoints for sensitive traces are told.
 */
const driverTexts = new WeakMap<object, string>();

export function withDriverText<F extends object>(failed: F, text: string | undefined): F {
  if (text !== undefined) driverTexts.set(failed, text);
  return failed;
}

export function driverTextOf(failed: object): string | undefined {
  return driverTexts.get(failed);
}

/** The error object of the API (`prequel-api.md` 19), as it is stored with transfers and models. */
export interface ErrorObject {
  readonly error_code: string;
  readonly title: string;
  readonly blame: Blame;
  readonly message: string;
  readonly trace: string;
}

/** Any thrown value as a `Failure`. What we do not know is a `bug`; its text is not passed on. */
export function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure('bug', 'Something in Waybill went wrong.', {
    detail: error instanceof Error ? error.name : typeof error,
    cause: error,
  });
}

/** The stored and answered form of a failure: sentence plus remedy, and a trace without row data. */
export function toErrorObject(failure: Failure): ErrorObject {
  return {
    error_code: `WBL-${failure.code}`,
    title: errorTitles[failure.code],
    blame: failure.policy.blame,
    message: `${failure.message} ${failure.policy.remedy}`,
    trace: failure.detail === undefined ? failure.kind : `${failure.kind}: ${failure.detail}`,
  };
}
