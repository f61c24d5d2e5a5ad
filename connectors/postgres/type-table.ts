import type { LogicalType } from '../../domain/data-type.ts';
import type { Encoding } from '../../domain/load.ts';

/** The one type that each logical type lands as. */
export const landedTypes: Readonly<Record<LogicalType, string>> = {
  string: 'text',
  boolean: 'boolean',
  integer: 'integer',
  bigint: 'bigint',
  decimal: 'numeric',
  float: 'double precision',
  timestamp: 'timestamp with time zone',
  date: 'date',
  time: 'time without time zone',
  bytes: 'bytea',
  json: 'jsonb',
  array: 'jsonb',
};

/** The logical types that land as a type, given in the catalog's words. */
export function logicalTypesOf(type: string): LogicalType[] {
  const entries = Object.entries(landedTypes) as [LogicalType, string][];
  // The catalog quotes and qualifies names as quote_all_identifiers and the search path have it.
  const name = type.replaceAll('"', '').replace(/^pg_catalog\./, '');
  return entries.filter(([, landed]) => landed === name).map(([logical]) => logical);
}

/** A column's type as the source's catalog has it, domains followed down to what they are made of. */
export interface SourceType {
  /** Of the base type, without length: for casts. */
  readonly cast: string;
  /** The same with its length and decimals. */
  readonly declared: string;
  /** Name in pg_catalog, or what it is where it is no built-in type. */
  readonly base: string;
  readonly kind: 'built_in' | 'enum' | 'array' | 'composite' | 'other';
  readonly modifier: number;
}

/** How a column is read, per encoding; `%` is the column. Without `binary` the model is read as text. */
interface Reading {
  readonly text: string;
  readonly binary?: string;
}

const same: Reading = { text: '%', binary: '%' };
const asText: Reading = { text: '%', binary: '%::pg_catalog.text' };
const asBigint: Reading = { text: '%', binary: '%::bigint' };
const asInteger: Reading = { text: '%', binary: '%::integer' };
const asDecimal: Reading = { text: '%', binary: '%::numeric' };
const utc: Reading = { text: `(% at time zone 'UTC')`, binary: `(% at time zone 'UTC')` };
const dayInUtc: Reading = {
  text: `(%::timestamp at time zone 'UTC')`,
  binary: `(%::timestamp at time zone 'UTC')`,
};
const jsonOf: Reading = { text: 'pg_catalog.to_jsonb(%)', binary: 'pg_catalog.to_jsonb(%)' };
const float: Reading = { text: '%', binary: '%::double precision' };

/**
 * What each type may be declared as, the closest first. Text stays the server's own output wherever that
 * is canonical already: a cast would drop the padding of char(n) and add a mask to inet. What is no keyword
 * is qualified: a search path could put something else in front.
 */
const readings: Readonly<Record<string, Partial<Record<LogicalType, Reading>>>> = {
  bool: { boolean: same, string: { text: '%::pg_catalog.text', binary: '%::pg_catalog.text' } },
  int2: { integer: asInteger, bigint: asBigint, decimal: asDecimal, float, string: asText },
  int4: { integer: same, bigint: asBigint, decimal: asDecimal, float, string: asText },
  int8: { bigint: same, decimal: asDecimal, string: asText },
  oid: { bigint: asBigint, string: asText },
  numeric: { decimal: same, string: asText },
  // As float8 0.1 would become 0.10000000149011612: only its text is exact.
  float4: { float: { text: '%' }, string: { text: '%' } },
  float8: { float: same, string: asText },
  // The same bytes are another amount under another lc_monetary.
  money: { decimal: { text: '%::numeric', binary: '%::numeric' }, string: { text: '%::numeric' } },
  timestamptz: { timestamp: same, string: asText },
  timestamp: { timestamp: utc, string: asText },
  date: { date: same, timestamp: dayInUtc, string: asText },
  time: { time: same, string: asText },
  bytea: { bytes: same, string: asText },
  jsonb: { json: same, array: same, string: asText },
  json: { json: { text: '%' }, array: { text: '%' }, string: asText },
  text: { string: same },
  varchar: { string: same },
  bpchar: { string: same },
  name: { string: asText },
  uuid: { string: asText },
  citext: { string: asText },
  // The output function drops the encoding declaration that the cast keeps.
  xml: { string: { text: '%::pg_catalog.text', binary: '%::pg_catalog.text' } },
};

const byKind: Readonly<Record<SourceType['kind'], Partial<Record<LogicalType, Reading>>>> = {
  built_in: { string: { text: '%' } },
  other: { string: { text: '%' } },
  enum: { string: asText },
  array: { array: jsonOf, json: jsonOf, string: { text: '%' } },
  composite: { json: jsonOf, string: { text: '%' } },
};

function readingsOf(type: SourceType): Partial<Record<LogicalType, Reading>> {
  const known = Object.hasOwn(readings, type.base) ? readings[type.base] : undefined;
  if (known === undefined) return byKind[type.kind];
  return type.base === 'numeric' ? { ...wholeNumbers(type.modifier), ...known } : known;
}

/** A numeric without decimals, short enough for an integer, may be declared as one. */
function wholeNumbers(modifier: number): Partial<Record<LogicalType, Reading>> {
  const scale = (modifier - 4) & 0x7ff;
  const precision = ((modifier - 4) >> 16) & 0xffff;
  if (modifier < 4 || scale !== 0) return {};
  return {
    ...(precision <= 9 ? { integer: asInteger } : {}),
    ...(precision <= 18 ? { bigint: asBigint } : {}),
  };
}

/** Logical types a column of the source may be declared as, the closest first. */
export function fitsOf(type: SourceType): LogicalType[] {
  const order: readonly LogicalType[] =
    type.base === 'numeric' ? ['decimal', 'integer', 'bigint', 'string'] : [];
  const fits = Object.keys(readingsOf(type)) as LogicalType[];
  return order.length === 0 ? fits : order.filter((one) => fits.includes(one));
}

export type CopyFormat = 'text' | 'binary';

export function formatOf(encoding: Encoding): CopyFormat {
  return encoding === 'copy_binary_messages' ? 'binary' : 'text';
}

/** The select expression of a column, or undefined where it cannot be read as that in the encoding. */
export function readExpression(
  type: SourceType,
  logical: LogicalType,
  as: { format: CopyFormat; column: string },
): string | undefined {
  const reading = readingsOf(type)[logical];
  const template = reading?.[as.format];
  return template?.replaceAll('%', () => as.column);
}

/**
 * Whether the text in which a value travels is read back as the same value: what a key needs to be resumed
 * after.
 */
export function isResumable(type: SourceType, logical: LogicalType): boolean {
  return (
    logical !== 'json' && logical !== 'array' && type.base !== 'money' && type.kind !== 'composite'
  );
}
