import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { Connection, Submittable } from 'pg';
import { asDriver } from './copy-out.ts';

const copyDone = Buffer.from([0x63, 0, 0, 0, 4]);
/** Long enough that few system calls are made, short enough that little waits in the connection's buffer. */
const writeBytes = 1 << 18;

/**
 * The message of a COPY … FROM STDIN as a query of the driver: other statements may stand before it. Sends
 * CopyData messages as they are.
 */
export class CopyIn implements Submittable {
  private readonly text: string;
  private readonly chunks: readonly Buffer[];
  private readonly ended = Promise.withResolvers<number>();
  private stream: Duplex | undefined;
  private isSending = false;
  private isOver = false;
  private rowCount = 0;

  constructor(text: string, chunks: readonly Buffer[]) {
    this.text = text;
    this.chunks = chunks;
  }

  /** How many rows the server took. @throws the driver's error */
  get taken(): Promise<number> {
    return this.ended.promise;
  }

  private async send(stream: Duplex): Promise<void> {
    this.isSending = true;
    stream.cork();
    let waiting = 0;
    for (const chunk of this.chunks) {
      if (this.isOver) break;
      stream.write(chunk);
      waiting += chunk.length;
      if (waiting < writeBytes) continue;
      waiting = 0;
      stream.uncork();
      if (stream.writableNeedDrain) await once(stream, 'drain');
      stream.cork();
    }
    if (!this.isOver) stream.write(copyDone);
    stream.uncork();
    this.isSending = false;
  }

  // What the driver calls.

  submit(connection: Connection): void {
    this.stream = asDriver(connection).stream;
    asDriver(connection).query(this.text);
  }

  /** Of statements before the COPY. */
  handleRowDescription(): void {
    // Nobody looks at their rows.
  }

  handleDataRow(): void {
    // As above.
  }

  handleCopyInResponse(): void {
    // A connection that breaks meanwhile is heard of through `handleError`.
    if (this.stream !== undefined) this.send(this.stream).catch(() => undefined);
  }

  handleCommandComplete({ text }: { text: string }): void {
    const copied = /^COPY (\d+)$/.exec(text)?.[1];
    if (copied !== undefined) this.rowCount = Number(copied);
  }

  handleReadyForQuery(): void {
    this.ended.resolve(this.rowCount);
  }

  handleError(error: unknown): void {
    this.isOver = true;
    // A chunk may end within a message: the server would take the next statement for the rest of it.
    if (this.isSending) this.stream?.destroy();
    this.ended.reject(error);
  }
}
