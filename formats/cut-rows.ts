import { Failure } from '../domain/failure.ts';
import { rowBytesMax as usualRowBytesMax } from '../domain/policy.ts';

/** A run of whole rows as the source sent them. */
export interface CutBatch {
  /** The bytes, in order; together they can be loaded by themselves. */
  readonly chunks: Buffer[];
  readonly rows: number;
  /** Length of all chunks. */
  readonly bytes: number;
  /** The first fields of the last row, as exact text. */
  readonly cursor: (string | null)[];
}

export interface CutLimits {
  /** A batch has no more bytes than this, unless it is a single row. */
  readonly batchBytesMax: number;
  readonly batchRowsMax: number;
  /** A longer row is refused before more of it is kept. 64 MiB when left out. */
  readonly rowBytesMax?: number;
  /** The cursor's fields have to end within so many bytes of the row. 4 KiB when left out. */
  readonly prefixBytesMax?: number;
  /**
   * Called once, after the last byte and before the last batch is given out, with the rows of the whole
   * stream: the place to compare them with the server's own count. What it throws ends the stream.
   */
  readonly verifyEnd?: (rows: number) => void | Promise<void>;
}

/** What tells row borders and cursors of one format. It keeps state: one scanner per stream. */
export interface RowScanner {
  /** Stands before and after the rows in a stream, and so in every batch. */
  readonly header: Buffer;
  readonly trailer: Buffer;
  /** How many bytes at the start of the chunk belong to the stream's header. */
  skipHeader(chunk: Buffer): number;
  /** Just past the end of the row that is open at `from`, or -1 where the chunk ends before the row does. */
  rowEnd(chunk: Buffer, from: number): number;
  /** Whether the stream may end after these bytes, which follow its last row. */
  isEnd(rest: Buffer): boolean;
  /** The cursor's fields out of the first bytes of a row; undefined where they go on after the prefix. */
  cursor(prefix: Buffer): (string | null)[] | undefined;
}

/**
 * Cuts a stream at row borders into batches that each hold at least one row. A batch is given out only once
 * a further row has begun or the stream has ended well, so the last one follows `verifyEnd`. Stopping early
 * destroys the stream. The chunks are views on the stream's own: nothing is copied but prefixes of rows.
 *
 * @throws Failure `source_unreachable` for a stream that was cut short, `limit_reached`, `unclassified`
 */
export async function* cutRows(
  stream: AsyncIterable<Buffer>,
  scanner: RowScanner,
  limits: CutLimits,
): AsyncGenerator<CutBatch, void, undefined> {
  const pile = new RowPile(scanner, limits);
  for await (const chunk of stream) yield* pile.add(chunk);
  const last = pile.end();
  await limits.verifyEnd?.(pile.rowsTotal);
  if (last) yield last;
}

/** The rows that wait for their batch to be full, and the row that is not complete yet. */
class RowPile {
  rowsTotal = 0;
  private readonly scanner: RowScanner;
  private readonly limits: Required<Omit<CutLimits, 'verifyEnd'>>;
  /** Whole rows. */
  private chunks: Buffer[] = [];
  private bytes = 0;
  private rows = 0;
  /** The beginning of the open row, as far as earlier chunks held it. */
  private tail: Buffer[] = [];
  private tailBytes = 0;
  /** Where the last whole row stands; for a row out of several chunks, a copy of its first bytes. */
  private lastRow: Buffer = empty;
  private lastStart = 0;
  private lastEnd = 0;

  constructor(scanner: RowScanner, limits: CutLimits) {
    this.scanner = scanner;
    this.limits = { rowBytesMax: usualRowBytesMax, prefixBytesMax: 4096, ...limits };
  }

  /** Takes the next chunk and gives out the batches that it fills. */
  *add(chunk: Buffer): Generator<CutBatch, void, undefined> {
    let start = this.scanner.skipHeader(chunk);
    let taken = start;
    for (;;) {
      const end = this.scanner.rowEnd(chunk, start);
      if (end === -1) break;
      const rowBytes = this.tailBytes + end - start;
      if (rowBytes > this.limits.rowBytesMax) throw rowTooLong(this.limits.rowBytesMax);
      if (this.isFullFor(rowBytes)) {
        this.keep(chunk, taken, start);
        yield this.close();
        taken = start;
      }
      if (this.tailBytes === 0) this.lastAt(chunk, start, end);
      else this.takeTail(chunk.subarray(start, end));
      this.rows += 1;
      this.bytes += rowBytes;
      start = end;
    }
    this.keep(chunk, taken, start);
    if (start < chunk.length) this.tail.push(chunk.subarray(start));
    this.tailBytes += chunk.length - start;
    if (this.tailBytes > this.limits.rowBytesMax) throw rowTooLong(this.limits.rowBytesMax);
    // So few bytes may still be the end of the stream instead of a row.
    const isRow = this.tailBytes > this.scanner.trailer.length;
    if (isRow && this.isFullFor(this.tailBytes)) yield this.close();
  }

  /** The last batch, if rows are left. Throws where the stream stopped in the middle. */
  end(): CutBatch | undefined {
    const isRow = this.tailBytes > this.scanner.trailer.length;
    if (isRow || !this.scanner.isEnd(Buffer.concat(this.tail))) {
      throw new Failure('source_unreachable', 'The source stopped in the middle of its answer.');
    }
    return this.rows > 0 ? this.close() : undefined;
  }

  private isFullFor(rowBytes: number): boolean {
    if (this.rows === 0) return false;
    return (
      this.rows >= this.limits.batchRowsMax || this.bytes + rowBytes > this.limits.batchBytesMax
    );
  }

  private keep(chunk: Buffer, from: number, to: number): void {
    if (to > from) this.chunks.push(chunk.subarray(from, to));
  }

  private lastAt(chunk: Buffer, start: number, end: number): void {
    this.lastRow = chunk;
    this.lastStart = start;
    this.lastEnd = end;
  }

  /** Completes the row that began in earlier chunks. Its last piece is kept with the rows after it. */
  private takeTail(rest: Buffer): void {
    const prefix = firstBytes([...this.tail, rest], this.limits.prefixBytesMax);
    this.lastAt(prefix, 0, prefix.length);
    for (const piece of this.tail) this.chunks.push(piece);
    this.tail = [];
    this.tailBytes = 0;
  }

  private close(): CutBatch {
    const { header, trailer } = this.scanner;
    const lastEnd = Math.min(this.lastEnd, this.lastStart + this.limits.prefixBytesMax);
    const cursor = this.scanner.cursor(this.lastRow.subarray(this.lastStart, lastEnd));
    if (!cursor) {
      const sentence = `Key and last-modified value are longer than ${this.limits.prefixBytesMax} bytes.`;
      throw new Failure('limit_reached', sentence, { code: 'KEYS' });
    }
    const chunks = [header, ...this.chunks, trailer].filter((chunk) => chunk.length > 0);
    const batch = {
      chunks,
      rows: this.rows,
      bytes: header.length + this.bytes + trailer.length,
      cursor,
    };
    this.rowsTotal += this.rows;
    this.chunks = [];
    this.bytes = 0;
    this.rows = 0;
    return batch;
  }
}

const empty = Buffer.alloc(0);

function rowTooLong(rowBytesMax: number): Failure {
  return new Failure('limit_reached', `A row of the source is longer than ${rowBytesMax} bytes.`);
}

function firstBytes(pieces: readonly Buffer[], bytesMax: number): Buffer {
  const first: Buffer[] = [];
  let missing = bytesMax;
  for (const piece of pieces) {
    if (missing <= 0) break;
    first.push(piece.subarray(0, missing));
    missing -= piece.length;
  }
  return Buffer.concat(first);
}
