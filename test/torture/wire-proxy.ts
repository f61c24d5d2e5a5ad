import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageReader } from './message-reader.ts';

// Stands between a worker and a Postgres server, and knows enough of the protocol to see where a batch
// begins and where it is committed.

/** A connection that ended between the beginning of a batch and the answer to its commit. */
export interface LostBatch {
  readonly at: number;
}

export interface WireProxy extends AsyncDisposable {
  readonly port: number;
  /** Connections that broke with a batch begun and not committed. */
  readonly lost: readonly LostBatch[];
  /** Resets the next connection over which so many more bytes have passed. */
  cutAfter(bytes: number): void;
  /** Nothing passes for so long; after that all of it does. */
  stall(ms: number): Promise<void>;
  /** The server commits once more and its answer does not arrive: the connection is reset instead. */
  loseCommitAnswer(): void;
  /** Forgets what has not struck yet. @returns how many */
  disarm(): number;
}

export interface WireOptions {
  readonly targetPort: number;
  /** Of one connection, towards the client: makes loads long enough to be hit in the middle. */
  readonly bytesPerSecond: number;
}

const host = '127.0.0.1';

/** What is to strike next, shared by all connections of a proxy. */
interface Trouble {
  bytesToCut: number[];
  commitsToLose: number;
  stalledUntil: number;
}

export async function startWireProxy(options: WireOptions): Promise<WireProxy> {
  const trouble: Trouble = { bytesToCut: [], commitsToLose: 0, stalledUntil: 0 };
  const lost: LostBatch[] = [];
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: false, noDelay: true }, (client) => {
    const upstream = connect({ port: options.targetPort, host, noDelay: true });
    new Line(client, upstream, { trouble, options, lost }).run();
    open.add(client);
    client.once('close', () => open.delete(client));
  });
  server.listen(0, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    lost,
    cutAfter: (bytes) => void trouble.bytesToCut.push(bytes),
    async stall(ms) {
      trouble.stalledUntil = Math.max(trouble.stalledUntil, Date.now() + ms);
      await sleep(ms);
    },
    loseCommitAnswer: () => void (trouble.commitsToLose += 1),
    disarm() {
      const left = trouble.bytesToCut.length + trouble.commitsToLose;
      trouble.bytesToCut = [];
      trouble.commitsToLose = 0;
      return left;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      for (const client of open) client.destroy();
      await once(server, 'close');
    },
  };
}

interface LineContext {
  readonly trouble: Trouble;
  readonly options: WireOptions;
  readonly lost: LostBatch[];
}

/** One connection. */
class Line {
  private readonly client: Socket;
  private readonly upstream: Socket;
  private readonly context: LineContext;
  private readonly reader = new MessageReader((text) => this.onStatement(text));
  private isBatchOpen = false;
  private isCommitting = false;
  private losesAnswer = false;

  constructor(client: Socket, upstream: Socket, context: LineContext) {
    this.client = client;
    this.upstream = upstream;
    this.context = context;
  }

  run(): void {
    const { client, upstream } = this;
    const sides = [
      [client, upstream],
      [upstream, client],
    ] as const;
    for (const [socket, other] of sides) {
      socket.on('error', () => this.reset());
      // Said in full before it hangs up: a server's last words are an error that its client has to read.
      socket.once('close', (hadError) => (hadError ? this.reset() : other.end()));
    }
    client.once('close', () => this.loseBatch());
    client.on('data', (piece: Buffer) => void this.up(piece));
    upstream.on('data', (piece: Buffer) => void this.down(piece));
  }

  private reset(): void {
    this.client.resetAndDestroy();
    this.upstream.resetAndDestroy();
  }

  private loseBatch(): void {
    if (this.isBatchOpen) this.context.lost.push({ at: Date.now() });
    this.isBatchOpen = false;
  }

  private onStatement(text: string): void {
    if (/^rollback/i.test(text)) this.loseBatch();
    if (/\bcopy [^;]* from stdin/i.test(text)) this.isBatchOpen = true;
    if (!/\bcommit\s*;?\s*$/i.test(text)) return;
    this.isCommitting = true;
    const { trouble } = this.context;
    if (trouble.commitsToLose === 0) return;
    trouble.commitsToLose -= 1;
    this.losesAnswer = true;
  }

  private async up(piece: Buffer): Promise<void> {
    this.client.pause();
    this.reader.read(piece);
    await this.wait(0);
    if (this.isCut(piece.length) || this.upstream.destroyed) return;
    this.upstream.write(piece, () => this.client.resume());
  }

  private async down(piece: Buffer): Promise<void> {
    this.upstream.pause();
    await this.wait((piece.length / this.context.options.bytesPerSecond) * 1000);
    if (this.isCut(piece.length) || this.client.destroyed) return;
    if (this.isCommitting && isReady(piece)) {
      this.isCommitting = false;
      this.isBatchOpen = false;
      if (this.losesAnswer) return this.reset();
    }
    if (this.losesAnswer) return void this.upstream.resume();
    this.client.write(piece, () => this.upstream.resume());
  }

  private async wait(ms: number): Promise<void> {
    if (ms >= 1) await sleep(ms);
    const { trouble } = this.context;
    while (trouble.stalledUntil > Date.now() && !this.client.destroyed) await sleep(20);
  }

  private isCut(bytes: number): boolean {
    const { bytesToCut } = this.context.trouble;
    if (bytesToCut[0] === undefined) return false;
    bytesToCut[0] -= bytes;
    if (bytesToCut[0] > 0) return false;
    bytesToCut.shift();
    this.reset();
    return true;
  }
}

/** The server says last of all that it is ready, and outside of a transaction. */
function isReady(piece: Buffer): boolean {
  return piece.subarray(-6).equals(Buffer.from([0x5a, 0, 0, 0, 5, 0x49]));
}
