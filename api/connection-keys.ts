import type { Context } from 'hono';
import type { ConnectionRole } from '../db/connections.ts';
import type { Db } from '../db/database.ts';
import {
  claimKeyPair,
  isOwner,
  isUnownedKeyPair,
  ownKeyPair,
  type KeyOwner,
} from '../db/key-pairs.ts';
import { keyPlaces } from '../domain/key-places.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import { isJsonObject } from '../lib/deep-merge.ts';
import { toOpenSsh } from '../lib/key-pair.ts';
import type { AppEnv } from './deps.ts';
import { invalid } from './errors.ts';
import { metaOf, shapeOf } from './settings-shape.ts';
import { settingsSchema } from './settings.ts';

/** A connection whose keys are to be ours, and its owner's alone. */
interface Keyed {
  readonly role: ConnectionRole;
  readonly vendor: string;
  /** Undefined where the request does not say: then only what nobody owns may be named. */
  readonly recipientId: string | null | undefined;
  /** A test alone keeps no pair that was not named. */
  readonly isSaved: boolean;
}

/**
 * The settings with the public key that the other side has to know. One that is named becomes the owner's for
 * good; where none is named, it is the owner's own. @throws Failure `invalid` for a key that is not theirs
 */
export async function settleKeys<T extends { readonly settings: JsonObject }>(
  c: Context<AppEnv>,
  db: Db,
  { connection, ...keyed }: Keyed & { readonly connection: T },
): Promise<T> {
  let { settings } = connection;
  for (const { object, publicKey: field } of keyPlaces) {
    const block = settings[object];
    if (!isJsonObject(block)) continue;
    const named = block[field];
    const isUsed = object === 'ssh_tunnel' ? settings['use_ssh_tunnel'] === true : true;
    if (!isUsed && typeof named !== 'string') continue;
    await checkOwner(c, db, keyed);
    const place = { field, path: `${keyed.role}.${keyed.vendor}.${object}.${field}` };
    const key =
      typeof named === 'string'
        ? await settleNamed(c, db, { ...keyed, ...place, publicKey: named, isUsed })
        : await settleOwn(c, db, { ...keyed, ...place, object });
    settings = { ...settings, [object]: { ...block, [field]: key } };
  }
  return { ...connection, settings };
}

async function checkOwner(c: Context<AppEnv>, db: Db, { role, recipientId }: Keyed): Promise<void> {
  if (recipientId === undefined || (await isOwner(db, ownerOf(c, recipientId)))) return;
  const message = `There is no recipient ${recipientId}.`;
  throw invalid([{ path: `${role}.recipient_id`, code: 'unknown_recipient', message }]);
}

function ownerOf(c: Context<AppEnv>, recipientId: string | null): KeyOwner {
  return { environment: c.get('environment'), recipientId };
}

async function settleNamed(
  c: Context<AppEnv>,
  db: Db,
  named: Keyed & { path: string; publicKey: string; isUsed: boolean },
): Promise<string> {
  const { publicKey, recipientId, path } = named;
  const isTheirs =
    recipientId === undefined
      ? await isUnownedKeyPair(db, publicKey)
      : await claimKeyPair(db, { publicKey, owner: ownerOf(c, recipientId) });
  if (isTheirs || !named.isUsed) return publicKey;
  const message =
    `${path} is no key that can be used here: take a new one from POST /actions/generate-ssh-key, ` +
    'or leave it empty.';
  throw invalid([{ path, code: 'unknown_key', message }]);
}

async function settleOwn(
  c: Context<AppEnv>,
  db: Db,
  own: Keyed & { path: string; object: string; field: string },
): Promise<string> {
  const { recipientId, role } = own;
  const { keyPairs, registry, sealer } = c.get('deps');
  if (recipientId === undefined) {
    const message = `${role}.recipient_id is missing: without ${own.path}, the key is the one of the recipient.`;
    throw invalid([{ path: `${role}.recipient_id`, code: 'required', message }]);
  }
  const pem = await ownKeyPair(db, {
    owner: ownerOf(c, recipientId),
    sealer,
    isKept: own.isSaved,
    make: () => keyPairs.take(),
  });
  const block = shapeOf(settingsSchema(registry, role, own.vendor))[own.object];
  const format = block && metaOf(shapeOf(block)[own.field] ?? block).keyFormat;
  return format === 'pkcs8' ? pem : toOpenSsh(pem);
}
