import { Failure } from '../domain/failure.ts';
import { binaryValueText, type BinaryCursorType } from './binary-value.ts';

/**
 * The first fields of a row in Postgres' COPY binary format as exact text; undefined where they go on after
 * the bytes given. @throws Failure `unclassified`
 */
export function binaryFields(
  row: Buffer,
  types: readonly BinaryCursorType[],
): (string | null)[] | undefined {
  if (row.readInt16BE(0) < types.length) throw malformed('a row has fewer fields than its cursor');
  const fields: (string | null)[] = [];
  let at = 2;
  for (const type of types) {
    if (at + 4 > row.length) return undefined;
    const length = row.readInt32BE(at);
    at += 4;
    if (at + Math.max(length, 0) > row.length) return undefined;
    fields.push(length === -1 ? null : valueText(type, row.subarray(at, at + length)));
    at += Math.max(length, 0);
  }
  return fields;
}

function valueText(type: BinaryCursorType, bytes: Buffer): string {
  try {
    return binaryValueText(type, bytes);
  } catch (error) {
    throw error instanceof RangeError ? malformed(error.message) : error;
  }
}

function malformed(detail: string): Failure {
  return new Failure('unclassified', 'The rows of the source could not be read.', { detail });
}
