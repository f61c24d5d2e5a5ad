import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { desc, gt, isNull, sql } from 'drizzle-orm';
import type { Sealer } from '../lib/seal.ts';
import { uuidv7 } from '../lib/uuid.ts';
import type { Db } from './database.ts';
import { signingKeys } from './notice-schema.ts';

const bits = 3072;
/** Receivers that fetched the key before a rotation go on for so long. */
const retiredDays = 7;

export interface SigningKey {
  readonly id: string;
  /** PEM. */
  readonly publicKey: string;
  /** Sealed PEM; `contextOf` its id. */
  readonly privateKey: string;
}

/** The key that signs, made on first need. */
export async function currentSigningKey(db: Db, sealer: Sealer): Promise<SigningKey> {
  return (await findCurrent(db)) ?? (await rotateSigningKey(db, sealer, { onlyFirst: true }));
}

/** Public keys that were retired in the last days, the newest first. */
export async function listRetiredKeys(db: Db): Promise<SigningKey[]> {
  return await db
    .select(columns)
    .from(signingKeys)
    .where(gt(signingKeys.retiredAt, sql`now() - make_interval(days => ${retiredDays})`))
    .orderBy(desc(signingKeys.retiredAt));
}

/** Makes a key that signs from now on; the one before it can be read for a week. */
export async function rotateSigningKey(
  db: Db,
  sealer: Sealer,
  { onlyFirst = false }: { onlyFirst?: boolean } = {},
): Promise<SigningKey> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: bits,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return await db.transaction(async (tx) => {
    await tx.execute(
      /*sql*/ sql`select pg_advisory_xact_lock(hashtextextended('waybill signing key', 0))`,
    );
    const current = await findCurrent(tx);
    if (onlyFirst && current !== undefined) return current;
    await tx
      .update(signingKeys)
      .set({ retiredAt: sql`now()` })
      .where(isNull(signingKeys.retiredAt));
    const id = uuidv7();
    const key = { id, publicKey, privateKey: sealer.seal(privateKey, contextOf(id)) };
    await tx.insert(signingKeys).values(key);
    return key;
  });
}

/** Where a private key opens. */
export function contextOf(id: string): string {
  return `signing_keys/${id}/private_key`;
}

const columns = {
  id: signingKeys.id,
  publicKey: signingKeys.publicKey,
  privateKey: signingKeys.privateKey,
};

async function findCurrent(db: Db): Promise<SigningKey | undefined> {
  const [found] = await db
    .select(columns)
    .from(signingKeys)
    .where(isNull(signingKeys.retiredAt))
    .orderBy(desc(signingKeys.createdAt))
    .limit(1);
  return found;
}
