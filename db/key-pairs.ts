import { and, eq, isNull, or, sql, type SQL } from 'drizzle-orm';
import type { Environment } from '../domain/statuses.ts';
import type { KeyPair } from '../lib/key-pair.ts';
import { fingerprintOf } from '../lib/key-pair.ts';
import { must } from '../lib/must.ts';
import type { Sealer } from '../lib/seal.ts';
import { uuidv7 } from '../lib/uuid.ts';
import type { Db } from './database.ts';
import { keyPairs } from './keys-schema.ts';
import { recipients } from './schema.ts';

/** How long a pair that nobody uses is kept. */
const staleDays = 30;
const purgedMax = 2000;

/** Whose a pair is: a recipient's, or, without one, the vendor's for its sources. Never shared. */
export interface KeyOwner {
  readonly environment: Environment;
  readonly recipientId: string | null;
}

/** Where a secret opens. */
export const sealContext = (id: string) => `key_pairs/${id}/private_key`;

/** Keeps a pair that nobody owns yet. */
export async function insertKeyPair(
  db: Db,
  input: { pair: KeyPair; sealer: Sealer },
): Promise<void> {
  await db.insert(keyPairs).values(rowOf(input.pair, input.sealer));
}

/**
 * Makes the pair of this public key the owner's, for good. Of two who race for one, one gets it.
 * @returns false where there is no such pair or it is somebody else's
 */
export async function claimKeyPair(
  db: Db,
  { publicKey, owner }: { publicKey: string; owner: KeyOwner },
): Promise<boolean> {
  const claimed = await db
    .update(keyPairs)
    .set({ ...owner, keptAt: sql`coalesce(${keyPairs.keptAt}, now())` })
    .where(and(isKey(publicKey), or(isNull(keyPairs.environment), isOwnedBy(owner))))
    .returning({ id: keyPairs.id });
  return claimed.length > 0;
}

/** Whether there is such a pair that nobody owns. */
export async function isUnownedKeyPair(db: Db, publicKey: string): Promise<boolean> {
  const found = await db
    .select({ id: keyPairs.id })
    .from(keyPairs)
    .where(and(isKey(publicKey), isNull(keyPairs.environment)));
  return found.length > 0;
}

/**
 * The pair that the owner gets without naming one: always the same, until it lapses unused.
 * @returns its public half in PEM
 */
export async function ownKeyPair(
  db: Db,
  {
    owner,
    sealer,
    isKept,
    make,
  }: { owner: KeyOwner; sealer: Sealer; isKept: boolean; make: () => Promise<KeyPair> },
): Promise<string> {
  const isIt = and(isOwnedBy(owner), eq(keyPairs.isOwn, true));
  const find = async () =>
    (
      await db.select({ id: keyPairs.id, publicKey: keyPairs.publicKey }).from(keyPairs).where(isIt)
    )[0];
  let own = await find();
  if (own === undefined) {
    const row = { ...rowOf(await make(), sealer), ...owner, isOwn: true };
    await db.insert(keyPairs).values(row).onConflictDoNothing();
    own = must(await find(), 'the pair that was made at the same time');
  }
  if (isKept) {
    await db
      .update(keyPairs)
      .set({ keptAt: sql`now()` })
      .where(and(eq(keyPairs.id, own.id), isNull(keyPairs.keptAt)));
  }
  return own.publicKey;
}

/** The public half of the owner's own pair in PEM, where one has been made. */
export async function findOwnKey(db: Db, owner: KeyOwner): Promise<string | undefined> {
  const isIt = and(isOwnedBy(owner), eq(keyPairs.isOwn, true));
  const [own] = await db.select({ publicKey: keyPairs.publicKey }).from(keyPairs).where(isIt);
  return own?.publicKey;
}

/** The private half in PEM, for one call of an activity; undefined where there is no such pair. */
export async function openPrivateKey(
  db: Db,
  sealer: Sealer,
  publicKey: string,
): Promise<string | undefined> {
  const [pair] = await db.select().from(keyPairs).where(isKey(publicKey));
  return pair && sealer.open(pair.privateKey, sealContext(pair.id));
}

/** Removes pairs that nobody has used in time, a bounded number at once. Returns how many. */
export async function purgeKeyPairs(db: Db): Promise<number> {
  const stale = db
    .select({ id: keyPairs.id })
    .from(keyPairs)
    .where(
      and(
        isNull(keyPairs.keptAt),
        sql`${keyPairs.createdAt} < now() - make_interval(days => ${staleDays})`,
      ),
    )
    .limit(purgedMax);
  // Read again where it is removed: one that was claimed meanwhile stays.
  const removed = await db
    .delete(keyPairs)
    .where(and(sql`${keyPairs.id} in (${stale})`, isNull(keyPairs.keptAt)));
  return removed.rowCount ?? 0;
}

function rowOf(pair: KeyPair, sealer: Sealer) {
  const id = uuidv7();
  return {
    id,
    fingerprint: must(fingerprintOf(pair.publicKeyPem), 'a fingerprint of our own key'),
    publicKey: pair.publicKeyPem,
    privateKey: sealer.seal(pair.privateKey, sealContext(id)),
    isOwn: false,
  };
}

function isKey(publicKey: string): SQL {
  const fingerprint = fingerprintOf(publicKey);
  return fingerprint === undefined ? sql`false` : eq(keyPairs.fingerprint, fingerprint);
}

function isOwnedBy({ environment, recipientId }: KeyOwner): SQL | undefined {
  return and(
    eq(keyPairs.environment, environment),
    recipientId === null ? isNull(keyPairs.recipientId) : eq(keyPairs.recipientId, recipientId),
  );
}

/** Whether there is somebody to own a pair. */
export async function isOwner(db: Db, { environment, recipientId }: KeyOwner): Promise<boolean> {
  if (recipientId === null) return true;
  const found = await db
    .select({ id: recipients.id })
    .from(recipients)
    .where(
      and(
        eq(recipients.id, recipientId),
        eq(recipients.environment, environment),
        isNull(recipients.deletedAt),
      ),
    );
  return found.length > 0;
}
