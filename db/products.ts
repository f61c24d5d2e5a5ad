import { and, arrayContains, eq, getColumns, inArray, isNull, sql } from 'drizzle-orm';
import { Failure, type Violation } from '../domain/failure.ts';
import type { Environment } from '../domain/statuses.ts';
import { uuidv7 } from '../lib/uuid.ts';
import { recordAudit, type Audit, type AuditEvent } from './audit.ts';
import { onDuplicate, type Db } from './database.ts';
import { keyset, pageOf, type Page, type PageRequest } from './paging.ts';
import { models, products, recipients } from './schema.ts';

export interface ProductRecord {
  readonly id: string;
  readonly environment: Environment;
  readonly name: string;
  readonly models: string[];
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

const columns = getColumns(products);

interface Named {
  readonly environment: Environment;
  readonly name: string;
}

/** @throws Failure `conflict` when the name is taken, `invalid` when a model does not exist. */
export async function insertProduct(
  db: Db,
  input: Named & { models: readonly string[]; audit: Audit<ProductRecord> },
): Promise<ProductRecord> {
  const { environment, name } = input;
  const message = `There is a product named ${name} already.`;
  const taken = new Failure('conflict', message, {
    violations: [{ path: 'product.product_name', code: 'taken', message }],
  });
  return await onDuplicate('products_name', taken, () =>
    db.transaction(async (tx) => {
      await checkModelNames(tx, input);
      const values = { id: uuidv7(), environment, name, models: [...new Set(input.models)] };
      await tx.insert(products).values(values);
      const product = await getProduct(tx, input);
      await audit(tx, { ...input, eventType: 'PRODUCT_ADD', after: product });
      return product;
    }),
  );
}

/** @throws Failure `not_found` */
export async function getProduct(db: Db, input: Named): Promise<ProductRecord> {
  const [product] = await db.select(columns).from(products).where(isNamed(input));
  if (!product) throw new Failure('not_found', `There is no product ${input.name}.`);
  return product;
}

export async function listProducts(
  db: Db,
  input: {
    environment: Environment;
    page: PageRequest;
    /** Only these, for a recipient's own list. */
    names?: readonly string[] | undefined;
  },
): Promise<Page<ProductRecord>> {
  const position = keyset(input.page, { at: products.createdAt, id: products.id });
  const rows = await db
    .select({ ...columns, sortValue: position.sortValue })
    .from(products)
    .where(
      and(
        eq(products.environment, input.environment),
        input.names && inArray(products.name, [...input.names]),
        position.after,
      ),
    )
    .orderBy(...position.orderBy)
    .limit(position.limit);
  return pageOf(rows, input.page);
}

/** Replaces the list of models. @throws Failure `not_found`; `invalid` when a model does not exist. */
export async function updateProduct(
  db: Db,
  input: Named & { models: readonly string[]; audit: Audit<ProductRecord> },
): Promise<ProductRecord> {
  return await db.transaction(async (tx) => {
    await tx.select({ id: products.id }).from(products).where(isNamed(input)).for('update');
    const before = await getProduct(tx, input);
    await checkModelNames(tx, input);
    const names = [...new Set(input.models)];
    await tx
      .update(products)
      .set({ models: names, updatedAt: sql`now()` })
      .where(isNamed(input));
    const after = await getProduct(tx, input);
    await audit(tx, { ...input, eventType: 'PRODUCT_UPDATE', before, after });
    return after;
  });
}

/** @throws Failure `not_found`; `conflict` while a recipient has it. */
export async function deleteProduct(
  db: Db,
  input: Named & { audit: Audit<ProductRecord> },
): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.select({ id: products.id }).from(products).where(isNamed(input)).for('update');
    const before = await getProduct(tx, input);
    const isSubscriber = and(
      eq(recipients.environment, input.environment),
      isNull(recipients.deletedAt),
      arrayContains(recipients.products, [input.name]),
    );
    const [subscriber] = await tx
      .select({ name: recipients.name })
      .from(recipients)
      .where(isSubscriber)
      .limit(1);
    if (subscriber) {
      const message = `Recipient ${subscriber.name} has product ${input.name}. Take it from all recipients first.`;
      throw new Failure('conflict', message);
    }
    await tx.delete(products).where(isNamed(input));
    await audit(tx, { ...input, eventType: 'PRODUCT_DELETE', before });
  });
}

/**
 * Locks the named products against deletion until the transaction ends.
 * @throws Failure `invalid` naming each that does not exist.
 */
export async function checkProductNames(
  tx: Db,
  input: { environment: Environment; products: readonly string[]; path: string },
): Promise<void> {
  const found = await tx
    .select({ name: products.name })
    .from(products)
    .where(
      and(eq(products.environment, input.environment), inArray(products.name, [...input.products])),
    )
    .for('share');
  const known = new Set(found.map(({ name }) => name));
  throwUnknown(input.products, { known, path: input.path, noun: 'product' });
}

async function checkModelNames(
  tx: Db,
  input: Named & { models: readonly string[] },
): Promise<void> {
  const isAsked = and(
    eq(models.environment, input.environment),
    inArray(models.name, [...input.models]),
    isNull(models.deletedAt),
  );
  const found = await tx.select({ name: models.name }).from(models).where(isAsked);
  const known = new Set(found.map(({ name }) => name));
  throwUnknown(input.models, { known, path: 'product.models', noun: 'model' });
}

function throwUnknown(
  names: readonly string[],
  { known, path, noun }: { known: ReadonlySet<string>; path: string; noun: string },
): void {
  const violations = names.flatMap((name, index): Violation[] => {
    const message = `There is no ${noun} named ${name}.`;
    return known.has(name) ? [] : [{ path: `${path}[${index}]`, code: `unknown_${noun}`, message }];
  });
  const [first] = violations;
  if (first) throw new Failure('invalid', first.message, { violations });
}

async function audit(
  tx: Db,
  entry: Named & {
    audit: Audit<ProductRecord>;
    eventType: AuditEvent;
    before?: ProductRecord;
    after?: ProductRecord;
  },
): Promise<void> {
  const { actor, present } = entry.audit;
  await recordAudit(tx, {
    environment: entry.environment,
    eventType: entry.eventType,
    resourceId: entry.name,
    actor,
    object: entry.after && present(entry.after),
    previousObject: entry.before && present(entry.before),
  });
}

function isNamed({ environment, name }: Named) {
  return and(eq(products.environment, environment), eq(products.name, name));
}
