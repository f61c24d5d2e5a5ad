import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { z } from 'zod';
import { isDatabaseAway } from '../db/database.ts';
import type { FailureKind, Violation } from '../domain/failure.ts';
import { Failure } from '../domain/failure.ts';

/** The HTTP status of each kind; what is missing here is a fault of the server. */
const statuses: Partial<Record<FailureKind, ContentfulStatusCode>> = {
  invalid: 400,
  source_mismatch: 400,
  type_unsupported: 400,
  change_refused: 400,
  not_found: 404,
  conflict: 409,
  limit_reached: 413,
  unavailable: 503,
};

export interface HttpFailure {
  readonly status: ContentfulStatusCode;
  readonly message: string;
  readonly violations: readonly Violation[];
  readonly headers: Readonly<Record<string, string>>;
}

/** What a client may know of any thrown value. What we do not know by name is a 500 without internals. */
export function toHttpFailure(error: unknown): HttpFailure {
  if (error instanceof HTTPException) {
    const headers = Object.fromEntries(error.res?.headers ?? []);
    return {
      status: error.status as ContentfulStatusCode,
      message: error.message,
      violations: [],
      headers,
    };
  }
  if (error instanceof Failure) {
    const status = statuses[error.kind] ?? 500;
    if (status !== 500)
      return { status, message: error.message, violations: error.violations, headers: {} };
  }
  const isAway = isDatabaseAway(error);
  return {
    status: isAway ? 503 : 500,
    message: isAway
      ? "Waybill's own database does not answer. Try again in a moment."
      : 'Something in Waybill went wrong. Give the request_id to its operator.',
    violations: [],
    headers: {},
  };
}

/** For the log: names and codes along the cause chain. Driver messages may quote values, so they stay out. */
export function describeError(error: unknown): Record<string, unknown> {
  const chain = causesOf(error);
  const first = chain[0];
  return {
    error: chain.map((cause) => cause.name).join(' < '),
    codes: codesOf(error),
    detail: first instanceof Failure ? first.detail : undefined,
    frames: first?.stack
      ?.split('\n')
      .filter((line) => /^\s+at /.test(line))
      .slice(0, 12),
  };
}

function causesOf(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let next = error; next instanceof Error && chain.length < 8; next = next.cause)
    chain.push(next);
  return chain;
}

function codesOf(error: unknown): string[] {
  return causesOf(error).flatMap((cause) =>
    'code' in cause && typeof cause.code === 'string' ? [cause.code] : [],
  );
}

/** A refusal of the transport: no kind of failure, because no transfer can meet it. */
export function refuse(
  status: 401 | 403 | 405 | 429,
  message: string,
  headers: Record<string, string> = {},
) {
  return new HTTPException(status, { message, res: new Response(null, { headers }) });
}

/** All that a schema found wrong with `input`, as one failure. `place`: where that stands in the request. */
export function invalidInput(error: z.ZodError, input: unknown, place = ''): Failure {
  return invalid(error.issues.map((issue) => toViolation(issue, input, place)));
}

/** A failure whose message is the first of its violations. */
export function invalid(violations: readonly Violation[]): Failure {
  const [first] = violations;
  const more = violations.length > 1 ? ` (${violations.length - 1} more in errors)` : '';
  return new Failure('invalid', `${first?.message ?? 'The request is invalid.'}${more}`, {
    violations,
  });
}

function toViolation(issue: z.core.$ZodIssue, input: unknown, place: string): Violation {
  const path = joinPath(place, issue.path);
  const subject = path === '' ? 'The body' : path;
  // A message of our own schemas, as against one of zod, says what must be.
  if (issue.message.startsWith('must '))
    return { path, code: 'invalid', message: `${subject} ${issue.message}` };
  if (issue.code === 'invalid_key' && issue.issues[0]?.message.startsWith('must '))
    return { path, code: 'invalid', message: `The key of ${subject} ${issue.issues[0].message}` };
  if (issue.code === 'custom')
    return { path, code: 'invalid', message: `${subject}: ${issue.message}` };
  const right = `must be ${expectedOf(issue)}`;
  const value = valueAt(input, issue.path);
  if (value === undefined)
    return { path, code: 'required', message: `${subject} is missing; it ${right}.` };
  const got = value === null ? ', not null' : '';
  return { path, code: issue.code, message: `${subject} ${right}${got}.` };
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, part) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part))
      return undefined;
    return Reflect.get(value, part);
  }, input);
}

function joinPath(place: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, place);
}

const typeWords: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

/** What would have been right, as the end of a sentence that begins with "must be". */
function expectedOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return typeWords[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return `${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return `at least ${issue.minimum}${unitOf(issue.origin, issue.minimum)}`;
    case 'too_big':
      return `at most ${issue.maximum}${unitOf(issue.origin, issue.maximum)}`;
    case 'invalid_format':
      return issue.format === 'regex'
        ? 'of the form described in the docs'
        : `a valid ${issue.format}`;
    default:
      return `as described in the docs (${issue.message})`;
  }
}

function unitOf(origin: string, count: number | bigint): string {
  const plural = Number(count) === 1 ? '' : 's';
  if (origin === 'string') return ` character${plural} long`;
  return origin === 'array' ? ` item${plural} long` : '';
}
