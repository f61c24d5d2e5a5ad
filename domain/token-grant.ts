import type { Json, JsonObject } from '../lib/deep-merge.ts';
import { isJsonObject } from '../lib/deep-merge.ts';

// What a scoped token lets its holder write: exactly the object that it was made for, leaf by leaf.

/** A value at the end of a path, in the one spelling in which two of them are compared. */
export interface Leaf {
  readonly path: string;
  /** Empty for what is null or empty text: in a new object not given, in a change the wish to reset. */
  readonly value: string;
}

/** JSON that may also come as its text. */
const jsonFields: ReadonlySet<string> = new Set([
  'service_account_key',
  'workload_identity_federation_metadata',
]);

/** Where the rows go: a customer's page may not send stored secrets somewhere else. */
const frozenFields: ReadonlySet<string> = new Set([
  'host',
  'bucket_name',
  'container_name',
  'storage_account_name',
  'project_id',
  'ssh_tunnel_host',
  'http_path',
  'uri',
]);

/** The leaves. Numbers count like their text, since select boxes send text; `type` means nothing. */
export function leavesOf(object: JsonObject): Leaf[] {
  return Object.entries(object).flatMap(([key, value]) =>
    key === 'type' ? [] : leavesBelow(key, key, value),
  );
}

function leavesBelow(path: string, key: string, value: Json | undefined): Leaf[] {
  if (value === undefined) return [];
  if (value === null || value === '') return [{ path, value: '' }];
  if (jsonFields.has(key)) return [{ path, value: canonical(parsed(value)) }];
  if (isJsonObject(value)) {
    return Object.entries(value).flatMap(([name, below]) =>
      leavesBelow(`${path}.${name}`, name, below),
    );
  }
  const isText = typeof value === 'string' || typeof value === 'number';
  return [{ path, value: isText ? String(value).trim() : canonical(value) }];
}

function parsed(value: Json): Json {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value) as Json;
  } catch {
    return value;
  }
}

/** JSON with the keys in order. */
function canonical(value: Json): string {
  return JSON.stringify(value, (_, inner: Json) =>
    isJsonObject(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/**
 * The fields of a change that would give a frozen field another value than the stored object has, or take it
 * away, by themselves or with the object around it.
 */
export function movedFields(stored: JsonObject, change: JsonObject): string[] {
  const isFrozen = ({ path }: Leaf) => frozenFields.has(path.split('.').at(-1) ?? '');
  const isGiven = ({ value }: Leaf) => value !== '';
  const kept = leavesOf(stored).filter((leaf) => isFrozen(leaf) && isGiven(leaf));
  const before = new Map(kept.map(({ path, value }) => [path, value]));
  const isMoved = (leaf: Leaf) =>
    isFrozen(leaf)
      ? (before.get(leaf.path) ?? '') !== leaf.value
      : kept.some(({ path }) => path.startsWith(`${leaf.path}.`));
  return leavesOf(change)
    .filter(isMoved)
    .map(({ path }) => path);
}

/**
 * Host and port of an origin, which is what browsers and clients agree on: some send the scheme and some do
 * not. Undefined where there is no host.
 */
export function originOf(text: string): string | undefined {
  const trimmed = text.trim();
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : `http://${trimmed}`);
  if (url === null || url.hostname === '' || url.username !== '' || url.password !== '')
    return undefined;
  // A scheme's own port is dropped by the parser; the other's means the same for a bare host.
  const port = url.port === '80' || url.port === '443' ? '' : url.port;
  const host = url.hostname.toLowerCase();
  return port === '' ? host : `${host}:${port}`;
}
