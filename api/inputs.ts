import { z } from '@hono/zod-openapi';
import { instantFromMicros, instantMicros } from '../domain/instant.ts';
import { isJsonObject } from '../lib/deep-merge.ts';

/** Names and labels: short enough for an index and for a screen. */
export const Name = z.string().trim().min(1).max(255);

const integerText = /^\s*-?\d{1,15}\s*$/;

/** A whole number, also as text: the select boxes of official forms send text. */
export function wireInteger(bounds: { min: number; max: number }) {
  const read = (value: unknown) =>
    typeof value === 'string' && integerText.test(value) ? Number(value) : value;
  return z
    .preprocess(read, z.int().min(bounds.min).max(bounds.max))
    .openapi({ type: 'integer', minimum: bounds.min, maximum: bounds.max });
}

/** A field of which the empty text means: not given. */
export function emptyAsAbsent<T extends z.ZodType>(schema: T) {
  return z.preprocess(
    (value) => (value === '' || value === null ? undefined : value),
    schema.optional(),
  );
}

/** `{"<key>": {…}}` */
export function wrapped<K extends string, T extends z.ZodType>(key: K, schema: T) {
  return z.object({ [key]: schema } as Record<K, T>);
}

/** `{"<key>": {…}}`; the bare object is accepted where older files are bare. */
export function bareOrWrapped<K extends string, T extends z.ZodType>(key: K, schema: T) {
  const wrap = (value: unknown) =>
    isJsonObject(value) && !Object.hasOwn(value, key) && Object.keys(value).length > 0
      ? { [key]: value }
      : value;
  return z.preprocess(wrap, wrapped(key, schema));
}

const rfc3339 = z.iso.datetime({ offset: true });
const earliestMicros = instantMicros('0001-01-01');
const latestMicros = instantMicros('9999-12-31 23:59:59.999999');

/** Whether nothing of it would be lost: our database keeps microseconds. */
function isExactInstant(text: string): boolean {
  if (!rfc3339.safeParse(text).success || /\.\d{7}/.test(text)) return false;
  const micros = instantMicros(text);
  return micros >= earliestMicros && micros <= latestMicros;
}

const dateTime = z
  .string()
  .refine(isExactInstant, {
    error: 'must be a date-time like 2026-01-02T03:04:05Z, at most to the microsecond.',
  })
  // In UTC, because Postgres does not take every offset that RFC 3339 allows.
  .transform((text) => instantFromMicros(instantMicros(text)));

const asDateTime = {
  type: 'string',
  format: 'date-time',
  example: '2026-01-02T03:04:05Z',
} as const;

/** An RFC 3339 date-time with any offset, as exact text in UTC. */
export const Instant = dateTime.openapi(asDateTime);

/** The same in a query, where a plus that was not escaped arrives as a space. Empty: not given. */
export const QueryInstant = z
  .preprocess((value) => {
    const text = typeof value === 'string' ? value.replace(' ', '+') : value;
    return text === '' ? undefined : text;
  }, dateTime.optional())
  .openapi(asDateTime);

/** Several values in one text, separated by commas; none at all is no filter. Given twice, they add up. */
export const CommaList = z
  .preprocess(
    (value) => (Array.isArray(value) ? value.join(',') : value),
    z.string().transform(listOf),
  )
  .optional()
  .openapi({ type: 'string', description: 'Several values separated by commas.' });

function listOf(text: string): string[] | undefined {
  const parts = text.split(',').map((part) => part.trim());
  const given = parts.filter((part) => part !== '');
  return given.length > 0 ? given : undefined;
}

/** Whether something has to be true or false; both, separated by a comma, or none is no filter. */
export const FlagFilter = z
  .string()
  .regex(/^\s*(true|false)?\s*(,\s*(true|false)?\s*)*$/i, { error: 'must be true or false.' })
  .transform((text) => {
    const flags = new Set(listOf(text.toLowerCase()));
    return flags.size === 1 ? flags.has('true') : undefined;
  })
  .optional()
  .openapi({ type: 'string', description: '`true`, `false`, or both separated by a comma.' });

/** An id in a path: in quotes as unquoted shell output leaves it, it still counts. */
export const PathId = z
  .string()
  .transform((text) => text.replace(/^"(.*)"$/s, '$1').toLowerCase())
  .openapi({ type: 'string', format: 'uuid', example: '0199aa00-0000-7000-8000-000000000001' });

/** The id of a model, or its name. */
export const ModelRef = z
  .string()
  .transform((text) => text.replace(/^"(.*)"$/s, '$1'))
  .openapi({ description: 'Id or name.', example: 'invoices' });
