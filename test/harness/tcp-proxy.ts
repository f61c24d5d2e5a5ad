import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the proxy does to every connection, from the moment it is set. */
export interface Trouble {
  /** Each piece of data waits so long, in both directions. */
  readonly delayMs?: number;
  /** Nothing passes any more and nothing is closed, as when a firewall forgets a connection. */
  readonly stalled?: boolean;
  /** The connection is reset once so many bytes went towards the server, counted over its life. */
  readonly resetAfterBytesUp?: number;
  /** The same for bytes that came from the server. */
  readonly resetAfterBytesDown?: number;
  /** New connections are reset at once. */
  readonly refused?: boolean;
}

export interface TcpProxy extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Connections that are open now. */
  connections(): number;
  /** Replaces what was set before; `{}` passes everything on. Stalled data goes on when the stall ends. */
  set(trouble: Trouble): void;
  /** Resets every open connection. */
  resetAll(): void;
}

const host = '127.0.0.1';
const stallPollMs = 10;

/** Stands between a client and a server on this machine and makes trouble on demand. */
export async function startTcpProxy(target: {
  readonly host: string;
  readonly port: number;
}): Promise<TcpProxy> {
  let trouble: Trouble = {};
  const open = new Set<Socket>();
  const server = createServer((client) => {
    if (trouble.refused === true) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(target.port, target.host);
    join(client, upstream, () => trouble);
    open.add(client);
    client.once('close', () => open.delete(client));
  });
  server.listen(0, host);
  await once(server, 'listening');
  const resetAll = () => open.forEach((client) => client.resetAndDestroy());
  return {
    host,
    port: (server.address() as AddressInfo).port,
    connections: () => open.size,
    set: (next) => {
      trouble = next;
    },
    resetAll,
    [Symbol.asyncDispose]: async () => {
      server.close();
      resetAll();
      await once(server, 'close');
    },
  };
}

function join(client: Socket, upstream: Socket, current: () => Trouble): void {
  const reset = () => {
    client.resetAndDestroy();
    upstream.resetAndDestroy();
  };
  const up = troubled(current, () => current().resetAfterBytesUp, reset);
  const down = troubled(current, () => current().resetAfterBytesDown, reset);
  client.pipe(up).pipe(upstream);
  upstream.pipe(down).pipe(client);
  for (const socket of [client, upstream]) {
    // A socket that breaks closes the other with it; the error itself is the trouble under test.
    socket.on('error', reset);
    socket.once('close', reset);
  }
}

function troubled(
  current: () => Trouble,
  limitOf: () => number | undefined,
  reset: () => void,
): Transform {
  let bytes = 0;
  const pass = async (piece: Buffer, done: (error: null, passed: Buffer) => void) => {
    const { delayMs } = current();
    if (delayMs !== undefined) await sleep(delayMs);
    while (current().stalled === true) await sleep(stallPollMs, undefined, { ref: false });
    const limit = limitOf() ?? Infinity;
    const room = Math.max(0, Math.min(piece.length, limit - bytes));
    bytes += piece.length;
    if (bytes >= limit) setImmediate(reset);
    done(null, piece.subarray(0, room));
  };
  return new Transform({
    transform: (piece: Buffer, _encoding, done) => void pass(piece, done),
  });
}
