import { BlockList, isIPv4, isIPv6 } from 'node:net';

export type Family = 4 | 6;

export interface Address {
  readonly address: string;
  readonly family: Family;
}

/** The address that `text` spells, or undefined. Zone ids are no part of an address here. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { address: text, family: 4 };
  if (isIPv6(text) && !text.includes('%')) return { address: text, family: 6 };
  return undefined;
}

/** Networks as `10.0.0.0/8`, `fd00::/8` or a single address. Throws a RangeError that names a bad one. */
export function listNetworks(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) addNetwork(list, network);
  return list;
}

function addNetwork(list: BlockList, network: string): void {
  const [text = '', prefix, excess] = network.split('/');
  const address = parseAddress(text);
  const bits = address?.family === 4 ? 32 : 128;
  const length = prefix === undefined ? bits : Number(prefix);
  const fits = /^\d{1,3}$/.test(prefix ?? '0') && length <= bits && excess === undefined;
  if (!address || !fits) throw new RangeError(`not a network: ${network}`);
  list.addSubnet(address.address, length, familyName(address));
}

export function isListed(list: BlockList, address: Address): boolean {
  return list.check(address.address, familyName(address));
}

function familyName(address: Address): 'ipv4' | 'ipv6' {
  return address.family === 4 ? 'ipv4' : 'ipv6';
}

const mapped = listNetworks(['::ffff:0:0/96']);

/** The ranges in which a v6 address leads to a v4 address, and the 16-bit group where that one begins. */
const embeddings = [
  { network: mapped, group: 6 },
  { network: listNetworks(['64:ff9b::/96']), group: 6 }, // NAT64
  { network: listNetworks(['2002::/16']), group: 1 }, // 6to4
];

/** The v4 address that a v6 address leads to, where it is of a kind that carries one. */
export function embeddedV4(address: Address): Address | undefined {
  if (address.family === 4) return undefined;
  const kind = embeddings.find(({ network }) => isListed(network, address));
  if (!kind) return undefined;
  const groups = groupsOf(address.address).slice(kind.group, kind.group + 2);
  return { address: groups.flatMap((group) => [group >> 8, group & 0xff]).join('.'), family: 4 };
}

/** One spelling per address: lower case, shortest form; a mapped v4 address becomes that v4 address. */
export function canonical(address: Address): Address {
  if (address.family === 4) return address;
  if (isListed(mapped, address)) return embeddedV4(address) ?? address;
  return { address: shorten(address.address), family: 6 };
}

/** The URL parser writes every v6 address in hexadecimal, lower case and shortened. */
function shorten(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

function groupsOf(address: string): number[] {
  const [head = '', tail] = shorten(address).split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16));
}
