const headerBytes = 5;
const keptBytes = 64 * 1024;
const query = 'Q'.charCodeAt(0);
const parse = 'P'.charCodeAt(0);

/** Follows what a Postgres client says without keeping the rows, and tells the statements that it sends. */
export class MessageReader {
  private readonly onStatement: (text: string) => void;
  private header = Buffer.alloc(0);
  private isStarted = false;
  private type = 0;
  private left = 0;
  private kept: Buffer[] = [];
  private keptLength = 0;

  constructor(onStatement: (text: string) => void) {
    this.onStatement = onStatement;
  }

  read(piece: Buffer): void {
    let rest = piece;
    while (rest.length > 0) rest = this.left > 0 ? this.readBody(rest) : this.readHeader(rest);
  }

  /** The first message of a connection has a length and no type. */
  private readHeader(piece: Buffer): Buffer {
    const size = this.isStarted ? headerBytes : headerBytes - 1;
    const wanted = size - this.header.length;
    this.header = Buffer.concat([this.header, piece.subarray(0, wanted)]);
    if (this.header.length === size) {
      this.type = this.isStarted ? (this.header[0] ?? 0) : 0;
      this.left = this.header.readInt32BE(size - 4) - 4;
      this.header = Buffer.alloc(0);
      this.isStarted = true;
      this.kept = [];
      this.keptLength = 0;
    }
    return piece.subarray(wanted);
  }

  private readBody(piece: Buffer): Buffer {
    const part = piece.subarray(0, this.left);
    this.left -= part.length;
    const isStatement = this.type === query || this.type === parse;
    if (isStatement && this.keptLength < keptBytes) {
      this.kept.push(Buffer.from(part));
      this.keptLength += part.length;
    }
    if (this.left === 0 && isStatement) this.onStatement(this.textOfStatement());
    return piece.subarray(part.length);
  }

  private textOfStatement(): string {
    const [name = '', text = ''] = Buffer.concat(this.kept).toString('utf8').split('\0');
    return this.type === query ? name : text;
  }
}
