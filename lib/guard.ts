import { lookup as lookupName } from 'node:dns/promises';
import { connect, type BlockList, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { domainToASCII } from 'node:url';
import {
  canonical,
  embeddedV4,
  isListed,
  listNetworks,
  parseAddress,
  type Address,
} from './address.ts';

/** Nobody may reach these through us: link-local, cloud metadata, and what is no single machine. */
const neverAllowed = listNetworks([
  ...['0.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '255.255.255.255'],
  ...['100.100.100.200', '168.63.129.16', '192.0.0.192', 'fd00:ec2::254', 'fd20:ce::254'],
  ...['::/128', 'fe80::/10', 'ff00::/8'],
]);

/** Closed unless the operator opens a network of them: loopback, private, shared, documentation, reserved. */
const closed = listNetworks([
  ...['10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'],
  ...['192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '198.18.0.0/15', '198.51.100.0/24'],
  ...['203.0.113.0/24', '240.0.0.0/4'],
  ...['::/96', '::ffff:0:0:0/96', '64:ff9b:1::/48', '100::/64', '2001::/23', '2001:db8::/32'],
  ...['3fff::/20', '5f00::/16', 'fc00::/7', 'fec0::/10'],
]);

const loopback = listNetworks(['127.0.0.0/8', '::1/128']);

/**
 * `invalid_host`: no host name, address or port. `unknown_host`: the name has no address. `not_allowed`: an
 * address is in a closed range or is a service of ours. `unreachable`: everything else, told apart nowhere.
 */
export type GuardErrorCode = 'invalid_host' | 'unknown_host' | 'not_allowed' | 'unreachable';

/** `message` may be shown to whoever typed the host. `cause` may not: it tells open from closed ports. */
export class GuardError extends Error {
  override readonly name = 'GuardError';
  readonly code: GuardErrorCode;

  constructor(code: GuardErrorCode, cause?: unknown) {
    super(messages[code], cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

const messages: Record<GuardErrorCode, string> = {
  invalid_host: 'This is not a host name or address with a port from 1 to 65535.',
  unknown_host: 'The host name was not found.',
  not_allowed: 'Connections to the address of this host are not allowed here.',
  unreachable: 'The host is unreachable.',
};

export interface GuardOptions {
  /** Networks of closed ranges that the operator opens: `10.0.0.0/8`, `::1/128`. */
  readonly allowedNetworks: readonly string[];
  /** Services of ours. They stay closed whatever is allowed. */
  readonly forbidden: readonly { readonly host: string; readonly port: number }[];
}

/** All addresses of a name. */
export type Lookup = (name: string) => Promise<readonly { readonly address: string }[]>;

export interface ResolveOptions {
  readonly signal?: AbortSignal | undefined;
  readonly lookup?: Lookup | undefined;
}

/** A checked place to connect to: `address` is the first of `addresses`, each of which was checked. */
export interface Target extends Address {
  readonly addresses: readonly Address[];
  readonly port: number;
  /** What TLS has to verify: the name, or the address where none was given. */
  readonly host: string;
}

export interface Guard {
  /**
   * Looks a name up once and checks every address it has. Connect to those addresses, never to the name.
   * @throws GuardError, or the signal's reason
   */
  resolve(host: string, port: number, options?: ResolveOptions): Promise<Target>;
}

/** The one gate for outgoing connections. Throws a RangeError where `allowedNetworks` has a bad entry. */
export function createGuard(options: GuardOptions): Guard {
  const allowed = listNetworks(options.allowedNetworks);

  async function isOurs(target: Target, lookup: Lookup): Promise<boolean> {
    const services = options.forbidden.filter((service) => service.port === target.port);
    for (const service of services) {
      const addresses = await addressesOf(parseHost(service.host), lookup);
      const same = addresses.some((one) =>
        target.addresses.some((other) => isSameMachine(one, other)),
      );
      if (same) return true;
    }
    return false;
  }

  return {
    async resolve(text, port, { signal, lookup = lookupAll } = {}) {
      signal?.throwIfAborted();
      if (!Number.isInteger(port) || port < 1 || port > 65535) throw new GuardError('invalid_host');
      const host = parseHost(text);
      const addresses = await unlessAborted(addressesOf(host, lookup), signal);
      const [first] = addresses;
      if (!first) throw new GuardError('unknown_host');
      if (!addresses.every((address) => isOpen(address, allowed)))
        throw new GuardError('not_allowed');
      const name = typeof host === 'string' ? host : host.address;
      const target = { ...first, addresses, port, host: name };
      if (await unlessAborted(isOurs(target, lookup), signal)) throw new GuardError('not_allowed');
      return target;
    },
  };
}

/**
 * Connects to the addresses of a checked target in turn, within `timeoutMs` for all of them together.
 * @throws GuardError `unreachable`, or the signal's reason
 */
export async function openSocket(
  target: Target,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<Socket> {
  const shareMs = options.timeoutMs / target.addresses.length;
  let cause: unknown;
  for (const { address } of target.addresses) {
    options.signal?.throwIfAborted();
    try {
      return await connectOnce({ host: address, port: target.port }, shareMs, options.signal);
    } catch (error) {
      cause = error;
    }
  }
  options.signal?.throwIfAborted();
  throw new GuardError('unreachable', cause);
}

/** A peer that has gone without a word is noticed within a minute, not after the two hours of the kernel. */
const alive = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };

function connectOnce(
  place: { host: string; port: number },
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const limit = AbortSignal.any([
      AbortSignal.timeout(Math.ceil(timeoutMs)),
      ...(signal ? [signal] : []),
    ]);
    const socket = connect({ ...place, ...alive });
    const giveUp = (): void => void socket.destroy(new Error('no answer in time'));
    limit.addEventListener('abort', giveUp);
    // It stays after connecting: a socket that fails before its driver listens must not end the process.
    socket.on('error', reject);
    socket.once('close', () => limit.removeEventListener('abort', giveUp));
    socket.once('connect', () => {
      limit.removeEventListener('abort', giveUp);
      resolve(socket);
    });
  });
}

/**
 * An address, or a name in lower-case ASCII without its closing dot. The URL parser reads the numeric
 * spellings (`0x7f.1`, `2130706433`) as the C library would, so that they are checked as addresses.
 */
function parseHost(text: string): Address | string {
  const literal = parseAddress(text.replace(/^\[(.*)\]$/, '$1'));
  if (literal) return canonical(literal);
  const name = domainToASCII(text).replace(/\.$/, '');
  const address = parseAddress(name);
  if (address) return address;
  const isName = /^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/.test(name) && name.length <= 253;
  if (!isName) throw new GuardError('invalid_host');
  return name;
}

async function addressesOf(host: Address | string, lookup: Lookup): Promise<Address[]> {
  if (typeof host !== 'string') return [host];
  const found = await lookup(host).catch((error: unknown) => {
    throw new GuardError('unknown_host', error);
  });
  return found.map(({ address }) => {
    const parsed = parseAddress(address);
    // An address with a zone id is link-local.
    if (!parsed) throw new GuardError('not_allowed');
    return canonical(parsed);
  });
}

const lookupAll: Lookup = (name) => lookupName(name, { all: true });

function isOpen(address: Address, allowed: BlockList): boolean {
  const carried = embeddedV4(address);
  if (carried && !isOpen(carried, allowed)) return false;
  if (isListed(neverAllowed, address)) return false;
  return !isListed(closed, address) || isListed(allowed, address);
}

function isSameMachine(one: Address, other: Address): boolean {
  return one.address === other.address || (isThisMachine(one) && isThisMachine(other));
}

function isThisMachine(address: Address): boolean {
  if (isListed(loopback, address)) return true;
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return own.some((entry) => entry.address === address.address);
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  const gone = Promise.withResolvers<never>();
  const stop = (): void => gone.reject(signal.reason);
  signal.addEventListener('abort', stop);
  try {
    return await Promise.race([work, gone.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
