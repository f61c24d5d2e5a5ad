import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { and, eq, gt, isNull, lt, sql } from 'drizzle-orm';
import type { Environment } from '../domain/statuses.ts';
import { leavesOf, type Leaf } from '../domain/token-grant.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import { uuidv7 } from '../lib/uuid.ts';
import { apiKeys } from './access-schema.ts';
import type { Db } from './database.ts';
import { recipients } from './schema.ts';
import { scopedTokens } from './tokens-schema.ts';

const lifeSeconds = 3600;
const tokenPattern = /^wbt_[A-Za-z0-9_-]{43}$/;

/** What the holder of a token may do besides reading its recipient's objects. */
export interface TokenGrant {
  readonly environment: Environment;
  readonly recipientId: string;
  readonly idInProviderSystem: string;
  /** Host and port of the page that may use it. */
  readonly origin: string;
  readonly destinationId: string | undefined;
  /** The paths of those leaves that the token was not made for. */
  strangers(leaves: readonly Leaf[]): string[];
}

export interface NewToken {
  readonly environment: Environment;
  readonly recipientId: string;
  readonly origin: string;
  /** What it may write, of which only keyed hashes are kept. */
  readonly destination: JsonObject;
  readonly destinationId: string | undefined;
  /** Id of the API key that asks for it. */
  readonly createdBy: string;
}

/** Makes a token that lasts one hour. It is in the answer and nowhere else. */
export async function insertScopedToken(db: Db, input: NewToken): Promise<string> {
  const { destination, destinationId, ...rest } = input;
  const token = `wbt_${randomBytes(32).toString('base64url')}`;
  const leaves = leavesOf(destination).map(({ path, value }) => [path, hashOf(token, value)]);
  await db.insert(scopedTokens).values({
    ...rest,
    id: uuidv7(),
    tokenHash: idOf(token),
    destinationId: destinationId ?? null,
    leaves: Object.fromEntries(leaves) as Record<string, string>,
    expiresAt: sql`now() + make_interval(secs => ${lifeSeconds})`,
  });
  return token;
}

/** The grant of a token that lives, whose recipient is there and whose key has not been revoked. */
export async function findScopedToken(db: Db, token: string): Promise<TokenGrant | undefined> {
  if (!tokenPattern.test(token)) return undefined;
  const [found] = await db
    .select({
      environment: scopedTokens.environment,
      recipientId: scopedTokens.recipientId,
      idInProviderSystem: recipients.idInProviderSystem,
      origin: scopedTokens.origin,
      destinationId: scopedTokens.destinationId,
      leaves: scopedTokens.leaves,
    })
    .from(scopedTokens)
    .innerJoin(recipients, eq(recipients.id, scopedTokens.recipientId))
    .innerJoin(apiKeys, eq(apiKeys.id, sql`${scopedTokens.createdBy}::uuid`))
    .where(
      and(
        eq(scopedTokens.tokenHash, idOf(token)),
        gt(scopedTokens.expiresAt, sql`now()`),
        isNull(recipients.deletedAt),
        isNull(apiKeys.revokedAt),
      ),
    );
  if (found === undefined) return undefined;
  const { leaves, destinationId, ...rest } = found;
  const isGranted = ({ path, value }: Leaf) => {
    const granted = Object.hasOwn(leaves, path) ? leaves[path] : undefined;
    return granted !== undefined && isSame(granted, hashOf(token, value));
  };
  return {
    ...rest,
    destinationId: destinationId ?? undefined,
    strangers: (asked) => asked.filter((leaf) => !isGranted(leaf)).map(({ path }) => path),
  };
}

/** Removes tokens that have lapsed. */
export async function purgeScopedTokens(db: Db): Promise<void> {
  await db.delete(scopedTokens).where(lt(scopedTokens.expiresAt, sql`now()`));
}

function idOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

function hashOf(token: string, value: string): string {
  return createHmac('sha256', token).update(value).digest('base64url');
}

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
