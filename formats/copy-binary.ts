import { Failure } from '../domain/failure.ts';
import { rowBytesMax as usualRowBytesMax } from '../domain/policy.ts';
import { binaryValueText, type BinaryCursorType } from './binary-value.ts';
import { cutRows, type CutBatch, type CutLimits, type RowScanner } from './cut-rows.ts';

const signature = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
/** Signature, no flags, no extension: every batch begins with it. */
const header = Buffer.concat([signature, Buffer.alloc(8)]);
/** A field count of -1. */
const trailer = Buffer.from([0xff, 0xff]);

/**
 * Cuts a stream of Postgres' COPY binary format; every batch has a header and trailer of its own. The
 * fields that make the cursor come first in each row; `cursorTypes` are their types in the source.
 */
export function cutCopyBinary(
  stream: AsyncIterable<Buffer>,
  options: CutLimits & { readonly cursorTypes: readonly BinaryCursorType[] },
): AsyncGenerator<CutBatch, void, undefined> {
  const rowBytesMax = options.rowBytesMax ?? usualRowBytesMax;
  return cutRows(stream, new BinaryScanner(options.cursorTypes, rowBytesMax), options);
}

/** What the next bytes of the stream are. */
type Expected = 'field_count' | 'field_length' | 'field_value' | 'end';

/** Follows the lengths through the stream. Any of them may be split over chunks, and so may the header. */
class BinaryScanner implements RowScanner {
  readonly header = header;
  readonly trailer = trailer;
  private readonly cursorTypes: readonly BinaryCursorType[];
  private readonly rowBytesMax: number;
  private headerBytes = 0;
  private expected: Expected = 'field_count';
  private fieldsLeft = 0;
  private valueBytesLeft = 0;
  /** The integer that is being read, and how many of its bytes are still to come. */
  private integer = 0;
  private integerBytesLeft = 2;

  constructor(cursorTypes: readonly BinaryCursorType[], rowBytesMax: number) {
    this.cursorTypes = cursorTypes;
    this.rowBytesMax = rowBytesMax;
  }

  skipHeader(chunk: Buffer): number {
    if (this.headerBytes === header.length) return 0;
    const part = chunk.subarray(0, header.length - this.headerBytes);
    const wanted = header.subarray(this.headerBytes, this.headerBytes + part.length);
    // Flags and extensions are for row OIDs, which no server since 12 sends.
    if (!part.equals(wanted)) throw malformed('not the header of a binary copy');
    this.headerBytes += part.length;
    return part.length;
  }

  rowEnd(chunk: Buffer, from: number): number {
    let at = from;
    while (at < chunk.length) {
      if (this.expected === 'end') throw malformed('bytes after the trailer');
      if (this.expected === 'field_value') at = this.skipValue(chunk, at);
      else at = this.readInteger(chunk, at);
      if (this.expected === 'field_length' && this.fieldsLeft === 0) {
        this.expect('field_count', 2);
        return at;
      }
    }
    return -1;
  }

  isEnd(): boolean {
    return this.expected === 'end';
  }

  cursor(prefix: Buffer): (string | null)[] | undefined {
    if (prefix.readInt16BE(0) < this.cursorTypes.length)
      throw malformed('a row has fewer fields than its cursor');
    const fields: (string | null)[] = [];
    let at = 2;
    for (const type of this.cursorTypes) {
      if (at + 4 > prefix.length) return undefined;
      const length = prefix.readInt32BE(at);
      at += 4;
      if (at + Math.max(length, 0) > prefix.length) return undefined;
      fields.push(length === -1 ? null : valueText(type, prefix.subarray(at, at + length)));
      at += Math.max(length, 0);
    }
    return fields;
  }

  private expect(expected: Expected, integerBytes: number): void {
    this.expected = expected;
    this.integer = 0;
    this.integerBytesLeft = integerBytes;
  }

  private skipValue(chunk: Buffer, at: number): number {
    const bytes = Math.min(this.valueBytesLeft, chunk.length - at);
    this.valueBytesLeft -= bytes;
    if (this.valueBytesLeft === 0) this.endField();
    return at + bytes;
  }

  private readInteger(chunk: Buffer, from: number): number {
    let at = from;
    while (this.integerBytesLeft > 0 && at < chunk.length) {
      this.integer = (this.integer << 8) | (chunk[at] ?? 0);
      this.integerBytesLeft -= 1;
      at += 1;
    }
    if (this.integerBytesLeft > 0) return at;
    if (this.expected === 'field_count') this.beginRow((this.integer << 16) >> 16);
    else this.beginField(this.integer);
    return at;
  }

  private beginRow(fieldCount: number): void {
    if (fieldCount < -1) throw malformed('a negative field count');
    this.fieldsLeft = fieldCount;
    this.expect(fieldCount === -1 ? 'end' : 'field_length', 4);
  }

  private beginField(length: number): void {
    if (length < -1) throw malformed('a negative field length');
    if (length > this.rowBytesMax) {
      throw new Failure(
        'limit_reached',
        `A value of the source is longer than ${this.rowBytesMax} bytes.`,
      );
    }
    if (length <= 0) return this.endField();
    this.valueBytesLeft = length;
    this.expected = 'field_value';
  }

  private endField(): void {
    this.fieldsLeft -= 1;
    this.expect('field_length', 4);
  }
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
