import { DatabaseError } from 'pg';
import { Failure, type ErrorCode, type FailureKind, withDriverText } from '../../domain/failure.ts';
import { GuardError } from '../../lib/guard.ts';
import { TunnelError } from '../../lib/tunnel-error.ts';
import { missingRight } from './missing-right.ts';

export type Side = 'source' | 'destination';

/** Raised by our own check of the epoch inside a destination's transaction. */
export const fencedState = 'WB001';
/** Raised there where the row that holds the epoch has gone. */
export const rowGoneState = 'WB002';

/** What a sentence may name. All of it comes from the model, none of it from rows. */
export interface ErrorContext {
  readonly side: Side;
  readonly table?: string | undefined;
  readonly columns?: readonly string[] | undefined;
}

interface Meaning {
  readonly kind: FailureKind;
  readonly code?: ErrorCode;
  readonly says: string;
}

/**
 * A driver's error as a failure. `message`, `detail`, `where` and `hint` of a server's error quote row
 * values, so none of them is passed on: the sentence is made of the code and of names.
 */
export function toPostgresFailure(error: unknown, context: ErrorContext): Failure {
  if (error instanceof Failure) return error;
  if (!(error instanceof DatabaseError)) return connectionFailure(error, context.side);
  const { kind, code, ...meaning } = meaningOf(error, context);
  const right = error.code === '42501' ? missingRight(error, context.side) : undefined;
  const says = right ?? meaning.says;
  const place = right === undefined ? placeOf(error, context) : '';
  const sentence = place === '' ? `${says}.` : `${says} (${place}).`;
  return withDriverText(new PostgresFailure(kind, sentence, { code, error }), rawText(error));
}

/** All that the server said, rows and all: for sensitive traces alone. */
function rawText({ message, detail, hint, where }: DatabaseError): string {
  const parts = [message, detail, hint, where];
  return parts.filter((part) => part !== undefined && part !== '').join('\n');
}

/** A failure that remembers its SQLSTATE, for the few places that act on one. */
class PostgresFailure extends Failure {
  readonly sqlState: string | undefined;

  constructor(
    kind: FailureKind,
    message: string,
    { code, error }: { code: ErrorCode | undefined; error: DatabaseError },
  ) {
    super(kind, message, { code, detail: detailOf(error) });
    this.sqlState = error.code;
  }
}

const rowGone =
  "The row of this model was deleted from Waybill's own table at the destination. A full refresh begins anew";

export function rowGoneFailure(): Failure {
  return new Failure('schema_conflict', `${rowGone}.`);
}

/** A destination that was put back to before its first load: the next transfer begins a new copy. */
export function copyGoneFailure(): Failure {
  const sentence = 'The copy that was to be brought up to date is not at the destination any more.';
  return new Failure('destination_missing', sentence);
}

export function fencedFailure(): Failure {
  return new Failure('fenced', 'A newer attempt has taken over this load.');
}

export const lockNotAvailable = '55P03';

/** The SQLSTATE behind a failure, where a server gave one. */
export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof PostgresFailure ? error.sqlState : undefined;
}

function meaningOf(error: DatabaseError, context: ErrorContext): Meaning {
  const state = error.code ?? '';
  const special = context.side === 'source' ? sourceMeanings[state] : destinationMeanings[state];
  return (
    special ??
    common(state, context.side) ??
    byClass(state, context) ??
    unknownMeaning(context.side)
  );
}

const sourceMeanings: Readonly<Record<string, Meaning>> = {
  '42P01': {
    kind: 'source_mismatch',
    code: 'MISS',
    says: 'The table of the model is not at the source',
  },
  '42703': { kind: 'source_mismatch', says: 'A column of the model is not at the source' },
  '3D000': {
    kind: 'source_denied',
    code: 'MISS',
    says: 'The database does not exist at the source',
  },
  '22021': { kind: 'value_refused', says: 'A text at the source is not valid in its own encoding' },
  '22P05': { kind: 'value_refused', says: 'A text at the source has no equivalent in UTF-8' },
  P0001: { kind: 'source_mismatch', says: 'A function at the source refuses a row' },
};

const destinationMeanings: Readonly<Record<string, Meaning>> = {
  [fencedState]: { kind: 'fenced', says: 'A newer attempt has taken over this load' },
  [rowGoneState]: { kind: 'schema_conflict', says: rowGone },
  '42P01': { kind: 'destination_missing', says: 'A table has gone from the destination' },
  '3D000': {
    kind: 'destination_denied',
    code: 'MISS',
    says: 'The database does not exist at the destination',
  },
  '3F000': { kind: 'destination_missing', says: 'The schema has gone from the destination' },
  '23502': { kind: 'source_mismatch', code: 'KEYS', says: 'A key column of a row is null' },
  '23505': { kind: 'schema_conflict', says: 'A unique index of the destination refuses a row' },
  '23503': { kind: 'schema_conflict', says: 'A foreign key of the destination refuses a change' },
  '23514': { kind: 'schema_conflict', says: 'A check of the destination refuses a row' },
  '23P01': {
    kind: 'schema_conflict',
    says: 'An exclusion constraint of the destination refuses a row',
  },
  '21000': {
    kind: 'source_mismatch',
    code: 'KEYS',
    says: 'The key of the model is not unique at the source',
  },
  '25006': {
    kind: 'destination_unreachable',
    says: 'The destination accepts no writes at the moment',
  },
  P0001: { kind: 'schema_conflict', says: 'A trigger of the destination refuses a row' },
  '55000': { kind: 'schema_conflict', says: 'A view at the destination stands where a table was' },
  '22P05': {
    kind: 'value_refused',
    says: 'A text holds a character that the destination cannot store',
  },
  '54000': { kind: 'value_refused', says: 'A value is too long for an index of the destination' },
};

/** What means the same at both ends. */
function common(state: string, side: Side): Meaning | undefined {
  const of = sideNames[side];
  switch (state) {
    case '28P01':
    case '28000':
      return { kind: of.denied, code: 'AUTH', says: `The ${side} refuses the login` };
    case '42501':
      return { kind: of.denied, says: `The login of the ${side} lacks a right` };
    case '53100':
      return {
        kind: of.busy,
        code: 'QUOT',
        says: `The ${side} has no disk space left: make room there`,
      };
    case '57P01':
    case '57P02':
    case '57P03':
    case '57P05':
    case '25P03':
    case '25P04':
      return { kind: of.unreachable, says: `The ${side} ended the connection` };
    case '57014':
      return { kind: of.busy, says: `The ${side} cancelled a statement` };
    case '55P03':
    case '55006':
      return { kind: of.busy, says: `Something at the ${side} is locked by somebody else` };
    default:
      return undefined;
  }
}

const sideNames = {
  source: { denied: 'source_denied', busy: 'source_busy', unreachable: 'source_unreachable' },
  destination: {
    denied: 'destination_denied',
    busy: 'destination_busy',
    unreachable: 'destination_unreachable',
  },
} as const satisfies Record<Side, Record<string, FailureKind>>;

function byClass(state: string, { side }: ErrorContext): Meaning | undefined {
  const isSource = side === 'source';
  switch (state.slice(0, 2)) {
    case '08':
      return { kind: sideNames[side].unreachable, says: `The connection to the ${side} broke` };
    case '40':
    case '53':
      return {
        kind: sideNames[side].busy,
        says: `The ${side} is short of something or gave up on a conflict`,
      };
    case '22':
      return isSource
        ? {
            kind: 'source_mismatch',
            says: 'The source cannot convert a value that its own table or view holds',
          }
        : { kind: 'value_refused', says: 'A value does not fit its column at the destination' };
    case '42':
    case '0A':
      return isSource
        ? { kind: 'source_mismatch', says: 'The source refuses the query of the model' }
        : {
            kind: 'schema_conflict',
            says: 'The table at the destination is not as Waybill left it',
          };
    case '54':
      return { kind: 'limit_reached', says: `A limit of the ${side} was reached` };
    default:
      return undefined;
  }
}

function unknownMeaning(side: Side): Meaning {
  return { kind: 'unclassified', says: `The ${side} failed in a way that Waybill does not know` };
}

/** Names only. A column out of `where` counts only where the model has it. */
function placeOf(error: DatabaseError, context: ErrorContext): string {
  const copied = /^COPY .+?, line (\d+)(?:, column ([^:]+))?/m.exec(error.where ?? '');
  const known = (name: string | undefined) =>
    name !== undefined && context.columns?.includes(name) ? name : undefined;
  const column = known(error.column) ?? known(copied?.[2]);
  const parts = [
    context.table === undefined ? undefined : `table ${context.table}`,
    column === undefined ? undefined : `column ${column}`,
    error.constraint === undefined || !isNamedByServer(error)
      ? undefined
      : `constraint ${error.constraint}`,
    copied?.[1] === undefined ? undefined : `row ${copied[1]} of the batch`,
  ];
  return parts.filter((part) => part !== undefined).join(', ');
}

/** Where the server checks a constraint itself and names it. */
const constraintRoutines =
  /^(ExecConstraints|ReportNotNull\w*|_bt_check_unique|check_exclusion_or_unique_constraint|ri_ReportViolation|comparetup_\w+|ATRewriteTable)$/;

/** A trigger may put a row's values into the fields that are for names: `raise … using constraint =`. */
function isNamedByServer({ routine = '' }: DatabaseError): boolean {
  return constraintRoutines.test(routine);
}

function detailOf(error: DatabaseError): string {
  const parts = [
    `SQLSTATE ${error.code ?? 'none'}`,
    error.routine === undefined ? undefined : `routine ${error.routine}`,
    error.table === undefined || !isNamedByServer(error) ? undefined : `table ${error.table}`,
  ];
  return parts.filter((part) => part !== undefined).join(', ');
}

const tlsCodes = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH)/;

/** Errors of the socket and of TLS, which carry no rows; their texts are still not ours to pass on. */
function connectionFailure(error: unknown, side: Side): Failure {
  if (error instanceof GuardError) return guardFailure(error, side);
  if (error instanceof TunnelError) return tunnelFailure(error, side);
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  const text = error instanceof Error ? error.message : '';
  if (text.startsWith('The server does not support SSL')) {
    const says = `The ${side} offers no TLS. Switch it on there, or set disable_ssl in a trusted network.`;
    return new Failure(sideNames[side].denied, says, { code: 'TLSX' });
  }
  if (code !== undefined && tlsCodes.test(code)) {
    const says =
      `The certificate of the ${side} could not be verified. Give its authority as ssl_ca, ` +
      'or set ssl_mode to require to believe any certificate.';
    return new Failure(sideNames[side].denied, says, { code: 'TLSX', detail: code });
  }
  const isPassword = /password|SASL|SCRAM/i.test(text);
  if (isPassword) {
    return new Failure(sideNames[side].denied, `The ${side} refuses the login.`, { code: 'AUTH' });
  }
  const isConnection =
    code !== undefined || /connection|timeout|closed|queryable|SSL|stream/i.test(text);
  if (isConnection) {
    return new Failure(sideNames[side].unreachable, `The connection to the ${side} broke.`, {
      detail: code,
    });
  }
  return new Failure('bug', 'Something in Waybill went wrong.', {
    detail: error instanceof Error ? error.name : typeof error,
    cause: error,
  });
}

/** The guard's own sentences may be shown: they tell no open port from a closed one. */
function guardFailure(error: GuardError, side: Side): Failure {
  switch (error.code) {
    case 'unreachable':
      return new Failure(sideNames[side].unreachable, error.message);
    case 'unknown_host':
      return new Failure(sideNames[side].unreachable, error.message, { code: 'HOST' });
    case 'invalid_host':
      return new Failure(sideNames[side].denied, error.message, { code: 'HOST' });
    case 'not_allowed':
      return new Failure(sideNames[side].denied, error.message, { code: 'CONN' });
  }
}

/** A server that does not answer may do so in a moment; for all else somebody has to change something. */
function tunnelFailure({ code, message }: TunnelError, side: Side): Failure {
  const { unreachable, denied } = sideNames[side];
  return new Failure(code === 'unreachable' ? unreachable : denied, message, { code: 'SSHX' });
}
