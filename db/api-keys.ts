import { createHash, randomBytes } from 'node:crypto';
import { and, asc, eq, isNull, sql } from 'drizzle-orm';
import { Failure } from '../domain/failure.ts';
import type { KeyScope } from '../domain/key-scopes.ts';
import type { Actor, Environment } from '../domain/statuses.ts';
import { isUuid, uuidv7 } from '../lib/uuid.ts';
import { recordAudit } from './audit.ts';
import type { Db } from './database.ts';
import { apiKeys } from './access-schema.ts';

/** An API key as it may be shown: never the key, never its hash. */
export interface ApiKeyRecord {
  readonly id: string;
  readonly environment: Environment;
  readonly name: string;
  readonly prefix: string;
  readonly scopes: readonly KeyScope[] | null;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
}

const columns = {
  id: apiKeys.id,
  environment: apiKeys.environment,
  name: apiKeys.name,
  prefix: apiKeys.prefix,
  scopes: apiKeys.scopes,
  createdAt: apiKeys.createdAt,
  expiresAt: apiKeys.expiresAt,
  lastUsedAt: apiKeys.lastUsedAt,
  revokedAt: apiKeys.revokedAt,
};

const operator: Actor = { id: '', type: 'unknown' };
const keyPattern = /^sk_(staging|prod)_[0-9a-f]{32}$/;
const hashOf = (key: string) => createHash('sha256').update(key).digest('hex');

export interface NewApiKey {
  readonly environment: Environment;
  readonly name: string;
  /** Undefined: everything in its environment. */
  readonly scopes?: readonly KeyScope[] | undefined;
  readonly expiresAt?: Date | undefined;
  readonly actor?: Actor | undefined;
}

/** Makes a key. It is in the answer and nowhere else: it cannot be shown again. */
export async function createApiKey(db: Db, input: NewApiKey): Promise<{ id: string; key: string }> {
  return await db.transaction((tx) => insertKey(tx, input));
}

async function insertKey(tx: Db, input: NewApiKey): Promise<{ id: string; key: string }> {
  const { environment, name, scopes, expiresAt, actor = operator } = input;
  const id = uuidv7();
  const key = `sk_${environment}_${randomBytes(16).toString('hex')}`;
  const prefix = key.slice(0, key.length - 26);
  await tx.insert(apiKeys).values({
    ...{ id, environment, name, prefix },
    keyHash: hashOf(key),
    scopes: scopes === undefined ? null : [...scopes],
    expiresAt: expiresAt ?? null,
  });
  const object = { id, name, scopes: scopes === undefined ? null : [...scopes] };
  await recordAudit(tx, { environment, eventType: 'API_KEY_ADD', resourceId: id, actor, object });
  return { id, key };
}

/**
 * Makes a key with the name, the scopes and the expiry of another, which goes on for so long beside it.
 * @throws Failure `not_found` when there is no such key that is still valid.
 */
export async function rotateApiKey(
  db: Db,
  input: { environment: Environment; id: string; overlapSeconds: number },
): Promise<{ id: string; key: string }> {
  const { environment, id, overlapSeconds } = input;
  const end = sql`now() + make_interval(secs => ${overlapSeconds})`;
  return await db.transaction(async (tx) => {
    const [old] = await tx
      .select(columns)
      .from(apiKeys)
      .where(and(isUuid(id) ? eq(apiKeys.id, id) : sql`false`, isValid(environment)))
      .for('update');
    if (!old) throw new Failure('not_found', `There is no valid API key ${id} to rotate.`);
    await tx
      .update(apiKeys)
      .set({ expiresAt: sql`least(${apiKeys.expiresAt}, ${end})` })
      .where(eq(apiKeys.id, id));
    const { name, scopes, expiresAt } = old;
    return await insertKey(tx, {
      environment,
      name,
      scopes: scopes ?? undefined,
      expiresAt: expiresAt ?? undefined,
    });
  });
}

function isValid(environment?: Environment) {
  return and(
    environment && eq(apiKeys.environment, environment),
    isNull(apiKeys.revokedAt),
    sql`(${apiKeys.expiresAt} is null or ${apiKeys.expiresAt} > now())`,
  );
}

/** The key's record when it is known, not revoked and not expired. */
export async function findApiKey(db: Db, key: string): Promise<ApiKeyRecord | undefined> {
  if (!keyPattern.test(key)) return undefined;
  const isIt = and(eq(apiKeys.keyHash, hashOf(key)), isValid());
  const [found] = await db.select(columns).from(apiKeys).where(isIt);
  if (found) await markUsed(db, found.id);
  return found;
}

/** To the minute: a write for every request would cost more than the answer is worth. */
async function markUsed(db: Db, id: string): Promise<void> {
  const isStale = sql`(${apiKeys.lastUsedAt} is null or ${apiKeys.lastUsedAt} < now() - interval '1 minute')`;
  await db
    .update(apiKeys)
    .set({ lastUsedAt: sql`now()` })
    .where(and(eq(apiKeys.id, id), isStale));
}

/** All keys of an environment, oldest first, revoked ones included. */
export async function listApiKeys(
  db: Db,
  input: { environment: Environment },
): Promise<ApiKeyRecord[]> {
  return await db
    .select(columns)
    .from(apiKeys)
    .where(eq(apiKeys.environment, input.environment))
    .orderBy(asc(apiKeys.createdAt), asc(apiKeys.id));
}

/** Ends a key for good. @throws Failure `not_found` when there is no such key that is not revoked yet. */
export async function revokeApiKey(
  db: Db,
  input: { environment: Environment; id: string; actor?: Actor | undefined },
): Promise<void> {
  const isLive = and(
    eq(apiKeys.id, input.id),
    eq(apiKeys.environment, input.environment),
    isNull(apiKeys.revokedAt),
  );
  await db.transaction(async (tx) => {
    const revoked = isUuid(input.id)
      ? await tx
          .update(apiKeys)
          .set({ revokedAt: sql`now()` })
          .where(isLive)
          .returning(columns)
      : [];
    const [key] = revoked;
    if (!key) throw new Failure('not_found', `There is no API key ${input.id} to revoke.`);
    await recordAudit(tx, {
      environment: input.environment,
      eventType: 'API_KEY_DELETE',
      resourceId: input.id,
      actor: input.actor ?? operator,
      previousObject: { id: key.id, name: key.name },
    });
  });
}
