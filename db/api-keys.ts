import { createHash, randomBytes } from 'node:crypto';
import { and, asc, eq, isNull, sql } from 'drizzle-orm';
import { Failure } from '../domain/failure.ts';
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
  createdAt: apiKeys.createdAt,
  expiresAt: apiKeys.expiresAt,
  lastUsedAt: apiKeys.lastUsedAt,
  revokedAt: apiKeys.revokedAt,
};

const operator: Actor = { id: '', type: 'unknown' };
const keyPattern = /^sk_(staging|prod)_[0-9a-f]{32}$/;
const hashOf = (key: string) => createHash('sha256').update(key).digest('hex');

/** Makes a key. It is in the answer and nowhere else: it cannot be shown again. */
export async function createApiKey(
  db: Db,
  input: {
    environment: Environment;
    name: string;
    expiresAt?: Date | undefined;
    actor?: Actor | undefined;
  },
): Promise<{ id: string; key: string }> {
  const id = uuidv7();
  const key = `sk_${input.environment}_${randomBytes(16).toString('hex')}`;
  await db.transaction(async (tx) => {
    await tx.insert(apiKeys).values({
      id,
      environment: input.environment,
      name: input.name,
      keyHash: hashOf(key),
      prefix: key.slice(0, key.length - 26),
      expiresAt: input.expiresAt ?? null,
    });
    await recordAudit(tx, {
      environment: input.environment,
      eventType: 'API_KEY_ADD',
      resourceId: id,
      actor: input.actor ?? operator,
      object: { id, name: input.name },
    });
  });
  return { id, key };
}

/** The key's record when it is known, not revoked and not expired. */
export async function findApiKey(db: Db, key: string): Promise<ApiKeyRecord | undefined> {
  if (!keyPattern.test(key)) return undefined;
  const isValid = and(
    eq(apiKeys.keyHash, hashOf(key)),
    isNull(apiKeys.revokedAt),
    sql`(${apiKeys.expiresAt} is null or ${apiKeys.expiresAt} > now())`,
  );
  const [found] = await db.select(columns).from(apiKeys).where(isValid);
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
