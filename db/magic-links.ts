import { createHash, randomBytes } from 'node:crypto';
import { and, eq, getColumns, gt, inArray, isNull, lt, sql, type SQL } from 'drizzle-orm';
import { Failure } from '../domain/failure.ts';
import type { Environment } from '../domain/statuses.ts';
import { isUuid, uuidv7 } from '../lib/uuid.ts';
import { recordAudit, type Audit } from './audit.ts';
import type { Db } from './database.ts';
import { keyset, pageOf, type Page, type PageRequest } from './paging.ts';
import { recipients } from './schema.ts';
import { magicLinks } from './tokens-schema.ts';

/** A link as it may be shown: never its token. */
export interface MagicLinkRecord {
  readonly id: string;
  readonly environment: Environment;
  readonly recipientId: string;
  readonly recipientName: string;
  readonly idInProviderSystem: string;
  /** The recipient's. */
  readonly products: string[];
  /** Of the destination to be made. */
  readonly name: string;
  readonly vendor: string | null;
  readonly presets: Readonly<Record<string, string>>;
  readonly setDestinationEnabled: boolean;
  readonly redirectUrl: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly usedAt: Date | null;
}

export interface MagicLinkInput {
  readonly environment: Environment;
  readonly recipientId: string;
  readonly name: string;
  readonly vendor: string | undefined;
  readonly presets: Readonly<Record<string, string>>;
  readonly setDestinationEnabled: boolean;
  readonly redirectUrl: string | undefined;
  readonly lifeSeconds: number;
  readonly audit: Audit<MagicLinkRecord>;
}

/** How long a link that has lapsed is still listed. */
const keptDays = 30;
const tokenPattern = /^wbm_[A-Za-z0-9_-]{43}$/;

const { tokenHash: _hash, ...own } = getColumns(magicLinks);
const columns = {
  ...own,
  recipientName: recipients.name,
  idInProviderSystem: recipients.idInProviderSystem,
  products: recipients.products,
};
const isRecipient = eq(recipients.id, magicLinks.recipientId);

/** Makes a link. Its token is in the answer and nowhere else. @throws Failure `invalid` without recipient */
export async function insertMagicLink(
  db: Db,
  { lifeSeconds, audit, ...input }: MagicLinkInput,
): Promise<{ link: MagicLinkRecord; token: string }> {
  const { environment, recipientId } = input;
  const id = uuidv7();
  const token = `wbm_${randomBytes(32).toString('base64url')}`;
  return await db.transaction(async (tx) => {
    await checkRecipient(tx, { environment, recipientId });
    await tx.insert(magicLinks).values({
      ...input,
      id,
      vendor: input.vendor ?? null,
      redirectUrl: input.redirectUrl ?? null,
      tokenHash: hashOf(token),
      expiresAt: sql`now() + make_interval(secs => ${lifeSeconds})`,
    });
    const link = await getMagicLink(tx, { environment, id });
    await recordAudit(tx, {
      environment,
      eventType: 'MAGIC_LINK_CREATE',
      resourceId: id,
      actor: audit.actor,
      object: audit.present(link),
    });
    return { link, token };
  });
}

/** @throws Failure `not_found` */
export async function getMagicLink(
  db: Db,
  input: { environment: Environment; id: string },
): Promise<MagicLinkRecord> {
  const [link] = await db
    .select(columns)
    .from(magicLinks)
    .innerJoin(recipients, isRecipient)
    .where(isIt(input));
  if (!link) throw new Failure('not_found', `There is no magic link ${input.id}.`);
  return link;
}

export async function listMagicLinks(
  db: Db,
  input: {
    environment: Environment;
    page: PageRequest;
    recipientIds?: readonly string[] | undefined;
  },
): Promise<Page<MagicLinkRecord>> {
  const position = keyset(input.page, { at: magicLinks.createdAt, id: magicLinks.id });
  const rows = await db
    .select({ ...columns, sortValue: position.sortValue })
    .from(magicLinks)
    .innerJoin(recipients, isRecipient)
    .where(
      and(
        eq(magicLinks.environment, input.environment),
        input.recipientIds && inArray(magicLinks.recipientId, input.recipientIds.filter(isUuid)),
        position.after,
      ),
    )
    .orderBy(...position.orderBy)
    .limit(position.limit);
  return pageOf(rows, input.page);
}

/** Ends a link for good; a destination that was made with it stays. @throws Failure `not_found` */
export async function deleteMagicLink(
  db: Db,
  input: { environment: Environment; id: string; audit: Audit<MagicLinkRecord> },
): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.select({ id: magicLinks.id }).from(magicLinks).where(isIt(input)).for('update');
    const link = await getMagicLink(tx, input);
    await tx.delete(magicLinks).where(isIt(input));
    await recordAudit(tx, {
      environment: input.environment,
      eventType: 'MAGIC_LINK_DELETE',
      resourceId: input.id,
      actor: input.audit.actor,
      previousObject: input.audit.present(link),
    });
  });
}

/**
 * The link of a token that lives, whose recipient is there.
 * @throws Failure `not_found`; `conflict` where it was used already
 */
export async function findMagicLink(db: Db, token: string): Promise<MagicLinkRecord> {
  const [link] = tokenPattern.test(token)
    ? await db
        .select(columns)
        .from(magicLinks)
        .innerJoin(recipients, isRecipient)
        .where(
          and(eq(magicLinks.tokenHash, hashOf(token)), isUnexpired, isNull(recipients.deletedAt)),
        )
    : [];
  if (!link) throw gone();
  if (link.usedAt !== null) throw used();
  return link;
}

/**
 * Marks a link as used, in the transaction of what it is used for: of two at once the second waits for the
 * first, and finds it used.
 * @throws Failure `not_found`; `conflict` where it was used already
 */
export async function useMagicLink(
  tx: Db,
  { link, audit }: { link: MagicLinkRecord; audit: Audit<MagicLinkRecord> },
): Promise<void> {
  const { environment, id } = link;
  const [marked] = await tx
    .update(magicLinks)
    .set({ usedAt: sql`now()` })
    .where(and(isIt(link), isNull(magicLinks.usedAt), isUnexpired))
    .returning({ usedAt: magicLinks.usedAt });
  if (!marked) {
    const [left] = await tx.select({ id: magicLinks.id }).from(magicLinks).where(isIt(link));
    throw left ? used() : gone();
  }
  await recordAudit(tx, {
    environment,
    eventType: 'MAGIC_LINK_USE',
    resourceId: id,
    actor: audit.actor,
    object: audit.present({ ...link, ...marked }),
    previousObject: audit.present(link),
  });
}

/** Removes links that lapsed long ago, used or not. */
export async function purgeMagicLinks(db: Db): Promise<void> {
  const longAgo = sql`now() - make_interval(days => ${keptDays})`;
  await db.delete(magicLinks).where(lt(magicLinks.expiresAt, longAgo));
}

/** Share-locked, so that the recipient cannot be deleted meanwhile. */
async function checkRecipient(
  tx: Db,
  { environment, recipientId }: { environment: Environment; recipientId: string },
): Promise<void> {
  const isThere = and(
    isUuid(recipientId) ? eq(recipients.id, recipientId) : sql`false`,
    eq(recipients.environment, environment),
    isNull(recipients.deletedAt),
  );
  const [found] = await tx
    .select({ id: recipients.id })
    .from(recipients)
    .where(isThere)
    .for('share');
  if (found) return;
  const message = `There is no recipient ${recipientId}.`;
  throw new Failure('invalid', message, {
    violations: [{ path: 'magic_link.recipient_id', code: 'unknown_recipient', message }],
  });
}

const isUnexpired = gt(magicLinks.expiresAt, sql`now()`);

function isIt({ environment, id }: { environment: Environment; id: string }): SQL | undefined {
  return isUuid(id)
    ? and(eq(magicLinks.id, id), eq(magicLinks.environment, environment))
    : sql`false`;
}

function gone(): Failure {
  return new Failure('not_found', 'This link is unknown or no longer valid. Ask for a new one.');
}

function used(): Failure {
  const message = 'This link was used already: it adds one destination. Ask for a new one.';
  return new Failure('conflict', message);
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
