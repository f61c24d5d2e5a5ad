import { createHash, createPrivateKey } from 'node:crypto';
import type { Socket } from 'node:net';
import { Client, type ClientChannel } from 'ssh2';
import type { ReachTarget, Tunnel } from '../connectors/connector.ts';
import type { HostPlace } from '../db/host-keys.ts';
import { TunnelError } from '../lib/tunnel-error.ts';

/** Which key an SSH server showed first. */
export interface HostKeys {
  recall(place: HostPlace): Promise<string | undefined>;
  /** @returns the one that was remembered first, which may be another's */
  remember(place: HostPlace & { fingerprint: string }): Promise<string>;
}

interface TunnelOptions {
  readonly tunnel: Tunnel;
  /** Connected to the SSH server, at a checked address. */
  readonly socket: Socket;
  readonly hostKeys: HostKeys;
}

/** A channel through the SSH server that can be used as a socket. @throws TunnelError */
export async function openTunnel(
  { host, port, timeoutMs }: ReachTarget,
  options: TunnelOptions,
): Promise<Socket> {
  const client = await logIn(options, timeoutMs);
  const forwarded = Promise.withResolvers<ClientChannel>();
  const limit = setTimeout(() => forwarded.reject(new Error('no answer in time')), timeoutMs);
  client.once('close', () => forwarded.reject(new Error('the connection was closed')));
  client.forwardOut('127.0.0.1', 0, host, port, (error, channel) => {
    if (error) forwarded.reject(error);
    else forwarded.resolve(channel);
  });
  try {
    return asSocket(await forwarded.promise, client);
  } catch {
    client.destroy();
    const message = `The SSH server ${options.tunnel.host} does not reach the host behind it, or may not.`;
    throw new TunnelError('not_forwarded', message);
  } finally {
    clearTimeout(limit);
  }
}

async function logIn(options: TunnelOptions, timeoutMs: number): Promise<Client> {
  const { tunnel, socket, hostKeys } = options;
  const place = { host: tunnel.host.toLowerCase(), port: tunnel.port };
  const known = await hostKeys.recall(place);
  let fingerprint = '';
  const client = new Client();
  const ready = Promise.withResolvers<void>();
  client.once('ready', ready.resolve);
  // It stays: a connection that fails later closes its channel, which is where that is noticed.
  client.on('error', ready.reject);
  client.once('close', () => ready.reject(new Error('the connection was closed')));
  client.connect({
    sock: socket,
    username: tunnel.username,
    privateKey: pkcs1Of(tunnel),
    authHandler: ['publickey'],
    readyTimeout: timeoutMs,
    keepaliveInterval: 15_000,
    keepaliveCountMax: 3,
    hostVerifier: (key: Buffer) => {
      fingerprint = `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
      return known === undefined || known === fingerprint;
    },
  });
  try {
    await ready.promise;
    const first = await hostKeys.remember({ ...place, fingerprint });
    if (first !== fingerprint) throw otherKey(tunnel, fingerprint);
    return client;
  } catch (error) {
    client.destroy();
    if (known !== undefined && fingerprint !== '' && known !== fingerprint)
      throw otherKey(tunnel, fingerprint);
    throw error instanceof TunnelError ? error : tunnelErrorOf(error, tunnel);
  }
}

function pkcs1Of({ privateKey, host }: Tunnel): string {
  if (privateKey === '') {
    throw new TunnelError(
      'refused',
      `The key pair for the SSH server ${host} is not there any more.`,
    );
  }
  return createPrivateKey(privateKey).export({ type: 'pkcs1', format: 'pem' }).toString();
}

/** What the library says may hold what the other side sent: only its kind is passed on. */
function tunnelErrorOf(error: unknown, { host, username, publicKey }: Tunnel): TunnelError {
  const level: unknown =
    typeof error === 'object' && error !== null ? Reflect.get(error, 'level') : undefined;
  if (level !== 'client-authentication')
    return new TunnelError('unreachable', `The SSH server ${host} does not answer as one.`);
  const message =
    `The SSH server ${host} refused the login of ${username}. ` +
    `Add this line to the authorized keys of that user: ${publicKey}`;
  return new TunnelError('refused', message);
}

function otherKey({ host }: Tunnel, fingerprint: string): TunnelError {
  const message =
    `The SSH server ${host} shows another key than before (${fingerprint}). If that is right, the ` +
    'operator of Waybill has to forget the old one.';
  return new TunnelError('other_key', message);
}

/** What drivers ask of a socket besides reading and writing. The connection ends with its one channel. */
function asSocket(channel: ClientChannel, client: Client): Socket {
  channel.once('close', () => client.end());
  client.once('close', () => channel.destroy());
  // It stays: a channel that fails before its driver listens must not end the process.
  channel.on('error', () => undefined);
  const same = () => channel;
  const setTimeoutOnce = (ms: number, onTimeout?: () => void) => {
    const timer = setTimeout(() => onTimeout?.(), ms);
    channel.once('close', () => clearTimeout(timer));
    return channel;
  };
  const more = { setNoDelay: same, setKeepAlive: same, ref: same, unref: same };
  return Object.assign(channel, { ...more, setTimeout: setTimeoutOnce }) as unknown as Socket;
}
