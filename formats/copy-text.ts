import { Failure } from '../domain/failure.ts';
import { must } from '../lib/must.ts';

const newline = 0x0a;
const tab = 0x09;

/**
 * The first fields of a row as values; undefined where they go on after the bytes given.
 * @throws Failure `unclassified`
 */
export function textFields(row: Buffer, count: number): (string | null)[] | undefined {
  const fields: (string | null)[] = [];
  let start = 0;
  while (fields.length < count) {
    const end = fieldEnd(row, start);
    if (end === -1) return undefined;
    fields.push(decodeField(row.subarray(start, end)));
    const isLast = row[end] === newline;
    if (isLast && fields.length < count) throw malformed('a row has fewer fields than its cursor');
    start = end + 1;
  }
  return fields;
}

function fieldEnd(row: Buffer, start: number): number {
  const end = row.indexOf(tab, start);
  return end === -1 ? row.indexOf(newline, start) : end;
}

/**
 * All rows as text values, null for `\N`. For connectors that take objects, and for small inputs: between
 * SQL systems rows stay bytes. The bytes have to end with a whole row.
 */
export function parseCopyTextRows(bytes: Buffer): (string | null)[][] {
  if (bytes.length === 0) return [];
  if (bytes[bytes.length - 1] !== newline) throw malformed('the last row is cut off');
  const lines = decodeUtf8(bytes.subarray(0, -1)).split('\n');
  return lines.map((line) => line.split('\t').map(unescapeField));
}

/** One row in the text format, its closing newline included. */
export function encodeCopyTextRow(values: readonly (string | null)[]): Buffer {
  const fields = values.map((value) => (value === null ? '\\N' : escapeValue(value)));
  return Buffer.from(`${fields.join('\t')}\n`, 'utf8');
}

const escapes: readonly (readonly [letter: string, character: string])[] = [
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
  ['\\', '\\'],
];
const characterOf = new Map(escapes);
const letterOf = new Map(escapes.map(([letter, character]) => [character, letter]));

function escapeValue(value: string): string {
  return value.replace(
    /[\b\f\n\r\t\v\\]/g,
    (found) => `\\${must(letterOf.get(found), 'an escape')}`,
  );
}

function decodeField(bytes: Buffer): string | null {
  return unescapeField(decodeUtf8(bytes));
}

/** The octal and hexadecimal escapes of hand-written files are refused: no server sends them. */
function unescapeField(field: string): string | null {
  if (field === '\\N') return null;
  if (!field.includes('\\')) return field;
  return field.replace(/\\([^]?)/g, (_, letter: string) => {
    const character = characterOf.get(letter);
    if (character === undefined) throw malformed('an unknown escape');
    return character;
  });
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw malformed('the text is not UTF-8');
  }
}

function malformed(detail: string): Failure {
  return new Failure('unclassified', 'The rows of the source could not be read.', { detail });
}
