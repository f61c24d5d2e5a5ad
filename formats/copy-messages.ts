import { Failure } from '../domain/failure.ts';
import { rowBytesMax as usualRowBytesMax } from '../domain/policy.ts';

/** A run of whole rows, as the messages in which the server sent them. */
export interface CutBatch {
  /** CopyData messages, one row in each: a COPY … FROM STDIN takes them as they are. */
  readonly chunks: readonly Buffer[];
  readonly rows: number;
  /** Of the rows, without what the messages add. */
  readonly bytes: number;
  /** The beginning of the last row. */
  readonly lastRow: Buffer;
}

export interface CutOptions {
  readonly format: 'text' | 'binary';
  /** A batch has no more bytes than this, unless it is a single row. */
  readonly batchBytesMax: number;
  readonly batchRowsMax: number;
  /** A longer row is refused before it is kept. 64 MiB when left out. */
  readonly rowBytesMax?: number | undefined;
}

/**
 * The first batch is no larger, and each further one at most twice the last: whoever writes them waits for
 * the first, and has nothing else to do meanwhile.
 */
const firstBatchBytes = 4 * 1024 * 1024;

/** So much of a row is kept to find its cursor in. */
export const prefixBytesMax = 4096;

const headBytes = 5;
const typeCopyData = 0x64;
const typeCopyDone = 0x63;
const typeErrorResponse = 0x45;
/** CopyOutResponse, and what a server may send at any time: a notice, a changed setting, a notification. */
const passing: readonly number[] = [0x48, 0x4e, 0x53, 0x41];

const signature = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
/** Signature, no flags, no extension: these are for row OIDs, which no server since 12 sends. */
const binaryHeader = Buffer.concat([signature, Buffer.alloc(8)]);
/** A field count of -1. */
const binaryTrailer = Buffer.from([0xff, 0xff]);

/**
 * Cuts the answer to a COPY … TO STDOUT into batches. A message of the server "will always correspond to
 * single data rows" (Postgres manual, COPY operations), so lengths are added up and no row is looked into;
 * and a client sends rows in the same messages, so nothing is copied either. In binary each batch gets a
 * header and a trailer of its own.
 */
export class MessageCutter {
  /** From the message that ended the rows on: for whoever reads the rest of the protocol. */
  rest: Buffer | undefined;
  rowsTotal = 0;
  private readonly options: CutOptions & { readonly rowBytesMax: number };
  /** The head of a message that the next chunk completes. */
  private head: Buffer = empty;
  private bodyLeft = 0;
  private isBodyKept = false;
  private isHeaderDue: boolean;
  private chunks: Buffer[] = [];
  private rows = 0;
  private bytes = 0;
  private bytesMax: number;
  private lastRow: Buffer[] = [];
  private lastChunk: Buffer = empty;
  private lastFrom = 0;
  private lastUpTo = 0;

  constructor(options: CutOptions) {
    this.options = { ...options, rowBytesMax: options.rowBytesMax ?? usualRowBytesMax };
    this.bytesMax = Math.min(firstBatchBytes, options.batchBytesMax);
    this.isHeaderDue = options.format === 'binary';
  }

  /**
   * Takes the next bytes and gives out the batches they fill. A batch is given out only once a further row
   * has begun, so the last one is left for `end`.
   * @throws Failure `limit_reached`, `unclassified`
   */
  *add(bytes: Buffer): Generator<CutBatch, void, undefined> {
    const chunk = this.head.length === 0 ? bytes : Buffer.concat([this.head, bytes]);
    this.head = empty;
    let at = this.goOn(chunk);
    let keptFrom = 0;
    let keptUpTo = this.isBodyKept ? at : 0;
    while (at < chunk.length) {
      const type = chunk[at];
      const isFirst = this.isHeaderDue && type === typeCopyData;
      if (chunk.length - at < headBytes + (isFirst ? binaryHeader.length : 0)) break;
      if (type === typeCopyDone || type === typeErrorResponse) {
        this.rest = chunk.subarray(at);
        at = chunk.length;
        break;
      }
      if (isFirst) at = this.takeHeader(chunk, at);
      const bodyBytes = chunk.readUInt32BE(at + 1) - 4;
      const end = at + headBytes + bodyBytes;
      if (type === typeCopyData && !this.isTrailer(bodyBytes)) {
        if (this.isFullFor(bodyBytes)) {
          this.keep(chunk, keptFrom, keptUpTo);
          yield this.close();
          keptFrom = at;
        } else if (keptUpTo !== at) {
          this.keep(chunk, keptFrom, keptUpTo);
          keptFrom = at;
        }
        this.beginRow(chunk, at + headBytes, bodyBytes);
        keptUpTo = Math.min(end, chunk.length);
        this.isBodyKept = true;
      } else {
        if (type !== typeCopyData && !passing.includes(type ?? 0))
          throw malformed(`message ${type}`);
        this.isBodyKept = false;
      }
      this.bodyLeft = Math.max(end - chunk.length, 0);
      at = Math.min(end, chunk.length);
    }
    this.keep(chunk, keptFrom, keptUpTo);
    if (at < chunk.length) this.head = chunk.subarray(at);
  }

  /** The last batch, if rows are left, once `rest` is there. */
  end(): CutBatch | undefined {
    return this.rows > 0 ? this.close() : undefined;
  }

  /** The rest of a message that began in an earlier chunk. @returns where it ends in this one */
  private goOn(chunk: Buffer): number {
    const part = Math.min(this.bodyLeft, chunk.length);
    this.bodyLeft -= part;
    if (part > 0 && this.isBodyKept)
      this.lastRow.push(chunk.subarray(0, Math.min(part, prefixBytesMax)));
    return part;
  }

  /** The header rides in the first message, before its row: the row gets a message of its own. */
  private takeHeader(chunk: Buffer, at: number): number {
    const body = at + headBytes;
    if (!chunk.subarray(body, body + binaryHeader.length).equals(binaryHeader))
      throw malformed('not the header of a binary copy');
    this.isHeaderDue = false;
    const rowAt = at + binaryHeader.length;
    const length = chunk.readUInt32BE(at + 1) - binaryHeader.length;
    chunk[rowAt] = typeCopyData;
    chunk.writeUInt32BE(length, rowAt + 1);
    return rowAt;
  }

  /** No row is so short: it has a field count and the length of at least one field. */
  private isTrailer(bodyBytes: number): boolean {
    return this.options.format === 'binary' && bodyBytes === binaryTrailer.length;
  }

  private isFullFor(rowBytes: number): boolean {
    const { batchRowsMax, rowBytesMax } = this.options;
    if (rowBytes > rowBytesMax)
      throw new Failure(
        'limit_reached',
        `A row of the source is longer than ${rowBytesMax} bytes, which no row may be.`,
      );
    if (this.rows === 0) return false;
    return this.rows >= batchRowsMax || this.bytes + rowBytes > this.bytesMax;
  }

  private beginRow(chunk: Buffer, from: number, bytes: number): void {
    this.rows += 1;
    this.rowsTotal += 1;
    this.bytes += bytes;
    this.lastChunk = chunk;
    this.lastFrom = from;
    this.lastUpTo = from + Math.min(bytes, prefixBytesMax);
    if (this.lastRow.length > 0) this.lastRow = [];
  }

  private keep(chunk: Buffer, from: number, upTo: number): void {
    if (upTo > from) this.chunks.push(chunk.subarray(from, upTo));
  }

  private close(): CutBatch {
    const begun = this.lastChunk.subarray(this.lastFrom, this.lastUpTo);
    const lastRow = Buffer.concat([begun, ...this.lastRow]).subarray(0, prefixBytesMax);
    const isBinary = this.options.format === 'binary';
    const chunks = isBinary ? [header, ...this.chunks, trailer] : this.chunks;
    const batch = { chunks, rows: this.rows, bytes: this.bytes, lastRow };
    this.chunks = [];
    this.rows = 0;
    this.bytes = 0;
    this.bytesMax = Math.min(2 * this.bytesMax, this.options.batchBytesMax);
    return batch;
  }
}

const empty = Buffer.alloc(0);
const header = asMessage(binaryHeader);
const trailer = asMessage(binaryTrailer);

function asMessage(body: Buffer): Buffer {
  return Buffer.concat([headOf(body), body]);
}

function headOf(body: Buffer): Buffer {
  const head = Buffer.alloc(headBytes);
  head[0] = typeCopyData;
  head.writeUInt32BE(body.length + 4, 1);
  return head;
}

/** Bytes of a COPY as the messages that a server takes. */
export function wrapInMessages(chunks: readonly Buffer[]): Buffer[] {
  return chunks.flatMap((chunk) => [headOf(chunk), chunk]);
}

/** What the messages hold, one by one. */
export function* messageBodies(chunks: readonly Buffer[]): Generator<Buffer, void, undefined> {
  const bytes = Buffer.concat(chunks);
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + bytes.readUInt32BE(at + 1);
    yield bytes.subarray(at + headBytes, end);
    at = end;
  }
}

function malformed(detail: string): Failure {
  return new Failure('unclassified', 'The rows of the source could not be read.', { detail });
}
