import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import ssh2, { type Connection } from 'ssh2';
import { fingerprintOf } from '../../lib/key-pair.ts';

/** A bastion: it lets in who holds a key of its list, and forwards to this machine. */
export interface SshServer extends AsyncDisposable {
  readonly port: number;
  /** Public keys that are let in, as lines of `authorized_keys`. */
  readonly authorized: string[];
  /** Ports that were asked for, in order. */
  readonly forwarded: number[];
  /** Cuts every connection. */
  cut(): void;
}

export async function startSshServer(options: { port?: number } = {}): Promise<SshServer> {
  const hostKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const authorized: string[] = [];
  const forwarded: number[] = [];
  const open = new Set<Connection>();
  const hostKeys = [hostKey.export({ type: 'pkcs1', format: 'pem' })];
  const server = new ssh2.Server({ hostKeys }, (client) => {
    open.add(client);
    client.on('error', () => undefined);
    client.on('close', () => open.delete(client));
    client.on('authentication', (attempt) => {
      const line =
        attempt.method === 'publickey'
          ? `${attempt.key.algo} ${attempt.key.data.toString('base64')}`
          : '';
      const isKnown =
        attempt.username === 'hop' &&
        authorized.some((one) => fingerprintOf(one) === fingerprintOf(line));
      if (isKnown && isSignedBy(attempt)) attempt.accept();
      else attempt.reject(['publickey']);
    });
    client.on('tcpip', (accept, reject, { destPort }) => {
      forwarded.push(destPort);
      const socket = connect({ host: '127.0.0.1', port: destPort });
      socket.once('error', () => reject());
      socket.once('connect', () => join(socket, accept()));
    });
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    for (const client of open) client.end();
  };
  return {
    port: (server.address() as AddressInfo).port,
    authorized,
    forwarded,
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}

/** A client first asks whether the key would do, and then signs with it. */
function isSignedBy(attempt: ssh2.AuthContext): boolean {
  if (attempt.method !== 'publickey') return false;
  if (attempt.signature === undefined) return true;
  const key = ssh2.utils.parseKey(`${attempt.key.algo} ${attempt.key.data.toString('base64')}`);
  const isKey = !(key instanceof Error) && !Array.isArray(key);
  const signed = attempt.blob;
  return (
    isKey &&
    signed !== undefined &&
    key.verify(signed, attempt.signature, attempt.hashAlgo) === true
  );
}

function join(socket: Socket, channel: ssh2.ServerChannel): void {
  const end = () => {
    socket.destroy();
    channel.destroy();
  };
  for (const side of [socket, channel]) side.on('error', end).on('close', end);
  socket.pipe(channel);
  channel.pipe(socket);
}
