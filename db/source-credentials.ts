import { and, eq, getColumns, inArray, sql, type SQL } from 'drizzle-orm';
import { Failure } from '../domain/failure.ts';
import type { Environment } from '../domain/statuses.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import type { Sealer } from '../lib/seal.ts';
import { isUuid, uuidv7 } from '../lib/uuid.ts';
import { recordAudit, type Audit } from './audit.ts';
import { sourceCredentials } from './credentials-schema.ts';
import { onDuplicate, type Db } from './database.ts';
import { keyset, pageOf, type Page, type PageRequest } from './paging.ts';
import { getRecipient } from './recipients.ts';
import { getSource } from './sources.ts';

const { password: _password, ...columns } = getColumns(sourceCredentials);

export type SourceCredentialRecord = Omit<typeof sourceCredentials.$inferSelect, 'password'>;

interface Of {
  readonly environment: Environment;
  readonly id: string;
}

/** @throws Failure `invalid` for an unknown recipient or source; `conflict` where the pair has one. */
export async function insertSourceCredential(
  db: Db,
  input: {
    environment: Environment;
    recipientId: string;
    sourceId: string;
    username: string;
    password: string;
    sealer: Sealer;
    audit: Audit<SourceCredentialRecord>;
  },
): Promise<SourceCredentialRecord> {
  const { environment, recipientId, sourceId, username, password, sealer, audit } = input;
  const id = uuidv7();
  return await onDuplicate('recipient_source_credentials_pair', pairTaken, () =>
    db.transaction(async (tx) => {
      await checkKnown('recipient_id', () => getRecipient(tx, { environment, id: recipientId }));
      await checkKnown('source_id', () => getSource(tx, { environment, id: sourceId }));
      await tx.insert(sourceCredentials).values({
        ...{ id, environment, recipientId, sourceId, username },
        password: sealer.seal(password, contextOf(id)),
      });
      const credential = await getSourceCredential(tx, { environment, id });
      await recordAudit(tx, {
        environment,
        eventType: 'RECIPIENT_SOURCE_CREDENTIAL_ADD',
        resourceId: id,
        actor: audit.actor,
        object: audit.present(credential),
      });
      return credential;
    }),
  );
}

const pairTaken = new Failure(
  'conflict',
  'This recipient has a login at this source already. Change that one, or delete it first.',
);

/** What the body names must be there: that is a fault of the body, not of the path. */
async function checkKnown(field: string, look: () => Promise<unknown>): Promise<void> {
  try {
    await look();
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'not_found') throw error;
    const path = `recipient_source_credential.${field}`;
    const violations = [{ path, code: 'unknown', message: error.message }];
    throw new Failure('invalid', error.message, { violations });
  }
}

/** @throws Failure `not_found` */
export async function getSourceCredential(db: Db, of: Of): Promise<SourceCredentialRecord> {
  const [found] = await db.select(columns).from(sourceCredentials).where(isIt(of));
  if (!found) throw new Failure('not_found', `There is no recipient source credential ${of.id}.`);
  return found;
}

export async function listSourceCredentials(
  db: Db,
  input: {
    environment: Environment;
    page: PageRequest;
    recipientIds?: readonly string[] | undefined;
    sourceIds?: readonly string[] | undefined;
  },
): Promise<Page<SourceCredentialRecord>> {
  const { environment, page, recipientIds, sourceIds } = input;
  const position = keyset(page, { at: sourceCredentials.createdAt, id: sourceCredentials.id });
  const rows = await db
    .select({ ...columns, sortValue: position.sortValue })
    .from(sourceCredentials)
    .where(
      and(
        eq(sourceCredentials.environment, environment),
        recipientIds && inArray(sourceCredentials.recipientId, recipientIds.filter(isUuid)),
        sourceIds && inArray(sourceCredentials.sourceId, sourceIds.filter(isUuid)),
        position.after,
      ),
    )
    .orderBy(...position.orderBy)
    .limit(position.limit);
  return pageOf(rows, page);
}

/** @throws Failure `not_found` */
export async function updateSourceCredential(
  db: Db,
  input: Of & {
    username?: string | undefined;
    /** Undefined: it stays. */
    password?: string | undefined;
    sealer: Sealer;
    audit: Audit<SourceCredentialRecord>;
  },
): Promise<SourceCredentialRecord> {
  const { username, password, sealer, audit, ...of } = input;
  return await db.transaction(async (tx) => {
    const before = await getSourceCredential(tx, of);
    const sealed = password && { password: sealer.seal(password, contextOf(before.id)) };
    await tx
      .update(sourceCredentials)
      .set({ ...(username && { username }), ...sealed, updatedAt: sql`now()` })
      .where(isIt(of));
    const credential = await getSourceCredential(tx, of);
    await recordAudit(tx, {
      environment: of.environment,
      eventType: 'RECIPIENT_SOURCE_CREDENTIAL_UPDATE',
      resourceId: before.id,
      actor: audit.actor,
      object: audit.present(credential),
      previousObject: audit.present(before),
    });
    return credential;
  });
}

/** Runs that began with it fail from now on; later ones use the source's own login. @throws `not_found` */
export async function deleteSourceCredential(
  db: Db,
  input: Of & { audit: Audit<SourceCredentialRecord> },
): Promise<void> {
  const { audit, ...of } = input;
  await db.transaction(async (tx) => {
    const before = await getSourceCredential(tx, of);
    await tx.delete(sourceCredentials).where(isIt(of));
    await recordAudit(tx, {
      environment: of.environment,
      eventType: 'RECIPIENT_SOURCE_CREDENTIAL_DELETE',
      resourceId: before.id,
      actor: audit.actor,
      previousObject: audit.present(before),
    });
  });
}

/**
 * The login as it stands in a connection's settings, for one call.
 * @throws Failure `source_denied` where it was removed since the run began
 */
export async function openSourceCredential(
  db: Db,
  sealer: Sealer,
  id: string,
): Promise<JsonObject> {
  const [found] = await db.select().from(sourceCredentials).where(eq(sourceCredentials.id, id));
  if (found === undefined) {
    const sentence = "The recipient's own login at the source was removed while the transfer ran.";
    throw new Failure('source_denied', sentence, { code: 'AUTH' });
  }
  const { username } = found;
  const password = sealer.open(found.password, contextOf(id));
  return { auth_method: 'password_auth', password_auth: { username, password } };
}

/** Where a password opens. */
export function contextOf(id: string): string {
  return `recipient_source_credentials/${id}/password`;
}

function isIt({ environment, id }: Of): SQL | undefined {
  return and(
    isUuid(id) ? eq(sourceCredentials.id, id) : sql`false`,
    eq(sourceCredentials.environment, environment),
  );
}
