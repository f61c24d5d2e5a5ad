import type { Socket } from 'node:net';
import type { Reach } from '../../connectors/connector.ts';
import { directReach } from '../harness/postgres-ends.ts';

type Write = () => void;

/** What happens to one message of a worker to its destination. */
export type Blow =
  /** The worker is stopped before it sends it, and its connection stays. */
  | 'frozen'
  /** The server carries it out, and the connection breaks before the answer is there. */
  | 'unanswered';

/** A way out that hits one message of all that are sent over it but logins and goodbyes, counted from 1. */
export class Wire {
  /** Resolves with the text of the message once it is hit. */
  readonly hit = Promise.withResolvers<string>();
  readonly reach: Reach;
  private readonly blow: Blow;
  private readonly number: number;
  /** Messages so far. */
  sent = 0;
  private held: Write | undefined;
  private socket: Socket | undefined;

  constructor(blow: Blow, number: number) {
    this.blow = blow;
    this.number = number;
    this.reach = {
      socket: async (place) => this.tap(await directReach.socket(place)),
    };
  }

  /** The worker wakes: what it had to say goes out, and it hears what came meanwhile. */
  thaw(): void {
    this.held?.();
    this.socket?.resume();
  }

  /** Statements of one message leave in one write, so the writes are what is counted. */
  private tap(socket: Socket): Socket {
    const write = socket._write.bind(socket);
    const writev = socket._writev?.bind(socket);
    socket._write = (chunk: Buffer, encoding, done) =>
      this.pass(socket, String(chunk), () => write(chunk, encoding, done));
    socket._writev = (chunks, done) =>
      this.pass(socket, chunks.map(({ chunk }) => String(chunk)).join(' '), () =>
        writev?.(chunks, done),
      );
    this.socket = socket;
    return socket;
  }

  private pass(socket: Socket, text: string, write: Write): void {
    if (!/^[PQdc]/.test(text)) return write();
    this.sent += 1;
    if (this.sent < this.number) return write();
    // Rows that are copied have no answer of their own: the next message shows that it has gone.
    if (this.sent > this.number && this.blow === 'unanswered') return void breakOff(socket);
    if (this.sent > this.number) return write();
    if (this.blow === 'frozen') {
      socket.pause();
      this.held = write;
    } else {
      socket.push = () => breakOff(socket);
      write();
    }
    this.hit.resolve(text);
  }
}

function breakOff(socket: Socket): false {
  socket.resetAndDestroy();
  return false;
}
