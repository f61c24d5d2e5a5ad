import type { Duplex } from 'node:stream';
import type { Connection, Submittable } from 'pg';
import { Failure } from '../../domain/failure.ts';
import { MessageCutter, type CutBatch, type CutOptions } from '../../formats/copy-messages.ts';

/** So much is taken from the connection ahead of what is asked for. */
const aheadBytesMax = 1 << 20;
/**
 * A shorter piece means that we are faster than the server. What the next moment brings is then read at
 * once: fewer reads, and pieces that fill the memory they take (measured: 40 MB less resident).
 */
const pieceBytesMin = 1 << 15;
const momentMs = 1;

/**
 * A COPY … TO STDOUT as a query of the driver. While it runs the bytes of the connection come here instead
 * of to the driver's parser, which gets what follows the rows.
 */
export class CopyOut implements Submittable {
  private readonly text: string;
  private readonly cutter: MessageCutter;
  private readonly counted = Promise.withResolvers<number>();
  private stream: Duplex | undefined;
  private parse: ((bytes: Buffer) => void) | undefined;
  private readonly ahead: Buffer[] = [];
  private aheadBytes = 0;
  private isResting = false;
  private wake: () => void = () => undefined;
  private error: Error | undefined;
  private rowCount = 0;

  constructor(text: string, options: CutOptions) {
    this.text = text;
    this.cutter = new MessageCutter(options);
    this.counted.promise.catch(() => undefined);
  }

  /**
   * The batches as they fill, the last once the server has counted as many rows.
   * @throws the driver's error; Failure `source_unreachable` where rows are missing
   */
  async *batches(): AsyncGenerator<CutBatch, void, undefined> {
    while (this.cutter.rest === undefined) yield* this.cutter.add(await this.nextBytes());
    this.giveBack(this.cutter.rest);
    if ((await this.counted.promise) !== this.cutter.rowsTotal)
      throw new Failure('source_unreachable', 'The source sent fewer rows than it counted.');
    const last = this.cutter.end();
    if (last !== undefined) yield last;
  }

  private async nextBytes(): Promise<Buffer> {
    while (this.ahead.length === 0) {
      if (this.error !== undefined) throw this.error;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    const bytes = this.ahead.shift() as Buffer;
    this.aheadBytes -= bytes.length;
    this.goOn();
    return bytes;
  }

  private readonly take = (bytes: Buffer): void => {
    this.ahead.push(bytes);
    this.aheadBytes += bytes.length;
    if (bytes.length < pieceBytesMin && !this.isResting) this.rest();
    if (this.aheadBytes >= aheadBytesMax) this.stream?.pause();
    this.wake();
  };

  private rest(): void {
    this.isResting = true;
    this.stream?.pause();
    setTimeout(() => {
      this.isResting = false;
      this.goOn();
    }, momentMs);
  }

  private goOn(): void {
    if (!this.isResting && this.aheadBytes < aheadBytesMax) this.stream?.resume();
  }

  private giveBack(rest: Buffer): void {
    const { stream, parse } = this;
    if (stream === undefined || parse === undefined) return;
    stream.off('data', this.take);
    stream.on('data', parse);
    for (const bytes of [rest, ...this.ahead.splice(0)]) parse(bytes);
    stream.resume();
  }

  // What the driver calls.

  submit(connection: Connection): void {
    const { stream } = asDriver(connection);
    this.stream = stream;
    this.parse = stream.listeners('data').at(-1) as (bytes: Buffer) => void;
    stream.off('data', this.parse);
    stream.on('data', this.take);
    asDriver(connection).query(this.text);
  }

  handleCommandComplete({ text }: { text: string }): void {
    this.rowCount = Number(/^COPY (\d+)$/.exec(text)?.[1]);
  }

  handleReadyForQuery(): void {
    this.counted.resolve(this.rowCount);
  }

  handleError(error: Error): void {
    this.error = error;
    this.counted.reject(error);
    this.wake();
  }
}

/** Parts of the driver's connection that its types leave out. */
export function asDriver(connection: Connection): { stream: Duplex; query(text: string): void } {
  return connection as unknown as { stream: Duplex; query(text: string): void };
}
