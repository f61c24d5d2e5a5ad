import { and, asc, eq, getColumns, inArray, isNull, sql, type SQL } from 'drizzle-orm';
import { Failure } from '../domain/failure.ts';
import type { Environment } from '../domain/statuses.ts';
import { isUuid, uuidv7 } from '../lib/uuid.ts';
import { recordAudit, type Audit } from './audit.ts';
import { onDuplicate, type Db } from './database.ts';
import { keyset, pageOf, type Page, type PageRequest } from './paging.ts';
import { checkProductNames } from './products.ts';
import { destinations, recipients } from './schema.ts';

export interface RecipientRecord {
  readonly id: string;
  readonly environment: Environment;
  readonly name: string;
  readonly idInProviderSystem: string;
  readonly products: string[];
  readonly defaultFullRefreshMinStartTimeEpoch: number | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface RecipientInput {
  readonly environment: Environment;
  readonly name: string;
  readonly idInProviderSystem: string;
  readonly products?: readonly string[] | undefined;
  /** Seconds since 1970. */
  readonly defaultFullRefreshMinStartTimeEpoch?: number | null | undefined;
  readonly audit: Audit<RecipientRecord>;
}

export interface RecipientPatch {
  readonly environment: Environment;
  readonly id: string;
  readonly name?: string | undefined;
  readonly idInProviderSystem?: string | undefined;
  readonly products?: readonly string[] | undefined;
  readonly defaultFullRefreshMinStartTimeEpoch?: number | null | undefined;
  readonly audit: Audit<RecipientRecord>;
}

const { deletedAt: _deletedAt, ...columns } = getColumns(recipients);

/** @throws Failure `conflict` when the tenant id is taken; `invalid` when a product does not exist. */
export async function insertRecipient(db: Db, input: RecipientInput): Promise<RecipientRecord> {
  const { environment, name, idInProviderSystem, audit } = input;
  const id = uuidv7();
  return await onDuplicate('recipients_provider_id', tenantTaken(idInProviderSystem), () =>
    db.transaction(async (tx) => {
      const products = [...new Set(input.products)];
      await checkProductNames(tx, { environment, products, path: 'recipient.products' });
      const startBound = input.defaultFullRefreshMinStartTimeEpoch ?? null;
      await tx.insert(recipients).values({
        id,
        environment,
        name,
        idInProviderSystem,
        products,
        defaultFullRefreshMinStartTimeEpoch: startBound,
      });
      const recipient = await getRecipient(tx, { environment, id });
      await recordAudit(tx, {
        environment,
        eventType: 'RECIPIENT_ADD',
        resourceId: id,
        actor: audit.actor,
        object: audit.present(recipient),
      });
      return recipient;
    }),
  );
}

/** The recipient with that tenant id, made with the id as its name where there is none yet. */
export async function ensureRecipient(
  db: Db,
  input: { environment: Environment; idInProviderSystem: string; audit: Audit<RecipientRecord> },
): Promise<RecipientRecord> {
  const existing = await findRecipientByProviderId(db, input);
  if (existing) return existing;
  try {
    return await insertRecipient(db, { ...input, name: input.idInProviderSystem });
  } catch (error) {
    // Somebody else made it between the two statements.
    const other = error instanceof Failure && (await findRecipientByProviderId(db, input));
    if (other) return other;
    throw error;
  }
}

/** @throws Failure `not_found` */
export async function getRecipient(
  db: Db,
  input: { environment: Environment; id: string },
): Promise<RecipientRecord> {
  const [recipient] = await db.select(columns).from(recipients).where(isLive(input));
  if (!recipient) throw new Failure('not_found', `There is no recipient ${input.id}.`);
  return recipient;
}

export async function findRecipientByProviderId(
  db: Db,
  input: { environment: Environment; idInProviderSystem: string },
): Promise<RecipientRecord | undefined> {
  const isIt = and(
    eq(recipients.environment, input.environment),
    eq(recipients.idInProviderSystem, input.idInProviderSystem),
    isNull(recipients.deletedAt),
  );
  const [recipient] = await db.select(columns).from(recipients).where(isIt);
  return recipient;
}

export async function listRecipients(
  db: Db,
  input: {
    environment: Environment;
    page: PageRequest;
    idsInProviderSystem?: readonly string[] | undefined;
  },
): Promise<Page<RecipientRecord>> {
  const position = keyset(input.page, { at: recipients.createdAt, id: recipients.id });
  const tenants = input.idsInProviderSystem;
  const rows = await db
    .select({ ...columns, sortValue: position.sortValue })
    .from(recipients)
    .where(
      and(
        eq(recipients.environment, input.environment),
        isNull(recipients.deletedAt),
        tenants && inArray(recipients.idInProviderSystem, [...tenants]),
        position.after,
      ),
    )
    .orderBy(...position.orderBy)
    .limit(position.limit);
  return pageOf(rows, input.page);
}

/**
 * @throws Failure `not_found`; `conflict` when the tenant id is taken or the recipient has destinations,
 * whose rows are of the old one; `invalid` when a product does not exist.
 */
export async function updateRecipient(db: Db, input: RecipientPatch): Promise<RecipientRecord> {
  const { environment, id, audit } = input;
  return await onDuplicate(
    'recipients_provider_id',
    tenantTaken(input.idInProviderSystem ?? ''),
    () =>
      db.transaction(async (tx) => {
        const before = await lockRecipient(tx, input);
        await checkPatch(tx, { before, patch: input });
        const startBound = input.defaultFullRefreshMinStartTimeEpoch;
        await tx
          .update(recipients)
          .set({
            name: input.name ?? before.name,
            idInProviderSystem: input.idInProviderSystem ?? before.idInProviderSystem,
            products: [...new Set(input.products ?? before.products)],
            ...(startBound === undefined
              ? {}
              : { defaultFullRefreshMinStartTimeEpoch: startBound }),
            updatedAt: sql`now()`,
          })
          .where(isLive(input));
        const recipient = await getRecipient(tx, input);
        await recordAudit(tx, {
          environment,
          eventType: 'RECIPIENT_UPDATE',
          resourceId: id,
          actor: audit.actor,
          object: audit.present(recipient),
          previousObject: audit.present(before),
        });
        return recipient;
      }),
  );
}

/** @throws Failure `not_found`; `conflict` while it has destinations. */
export async function deleteRecipient(
  db: Db,
  input: { environment: Environment; id: string; audit: Audit<RecipientRecord> },
): Promise<void> {
  await db.transaction(async (tx) => {
    const before = await lockRecipient(tx, input);
    const [name] = await destinationNames(tx, input.id);
    if (name !== undefined) {
      const message = `Recipient ${before.name} has a destination (${name}). Delete its destinations first.`;
      throw new Failure('conflict', message);
    }
    await tx
      .update(recipients)
      .set({ deletedAt: sql`now()` })
      .where(isLive(input));
    await recordAudit(tx, {
      environment: input.environment,
      eventType: 'RECIPIENT_DELETE',
      resourceId: input.id,
      actor: input.audit.actor,
      previousObject: input.audit.present(before),
    });
  });
}

async function checkPatch(
  tx: Db,
  { before, patch }: { before: RecipientRecord; patch: RecipientPatch },
): Promise<void> {
  const products = patch.products ?? [];
  await checkProductNames(tx, {
    environment: patch.environment,
    products,
    path: 'recipient.products',
  });
  const tenant = patch.idInProviderSystem;
  if (tenant === undefined || tenant === before.idInProviderSystem) return;
  const [name] = await destinationNames(tx, patch.id);
  if (name === undefined) return;
  const message = `id_in_provider_system is fixed while recipient ${before.name} has destinations (${name}).`;
  throw new Failure('conflict', message, {
    violations: [{ path: 'recipient.id_in_provider_system', code: 'fixed', message }],
  });
}

/** The full lock: no destination can be made for it until the transaction ends. */
async function lockRecipient(
  tx: Db,
  input: { environment: Environment; id: string },
): Promise<RecipientRecord> {
  await tx.select({ id: recipients.id }).from(recipients).where(isLive(input)).for('update');
  return await getRecipient(tx, input);
}

async function destinationNames(tx: Db, recipientId: string): Promise<string[]> {
  const rows = await tx
    .select({ name: destinations.name })
    .from(destinations)
    .where(and(eq(destinations.recipientId, recipientId), isNull(destinations.deletedAt)))
    .orderBy(asc(destinations.createdAt))
    .limit(1);
  return rows.map(({ name }) => name);
}

function isLive({ environment, id }: { environment: Environment; id: string }): SQL | undefined {
  const isIt = and(eq(recipients.id, id), eq(recipients.environment, environment));
  return isUuid(id) ? and(isIt, isNull(recipients.deletedAt)) : sql`false`;
}

function tenantTaken(tenantId: string): Failure {
  const message = `There is a recipient with id_in_provider_system ${tenantId} already.`;
  return new Failure('conflict', message, {
    violations: [{ path: 'recipient.id_in_provider_system', code: 'taken', message }],
  });
}
