import { and, asc, eq, isNull } from 'drizzle-orm';
import type { Environment } from '../domain/statuses.ts';
import type { Db } from './database.ts';
import { models, products, recipients } from './schema.ts';

/** A model that a recipient may have, as it stands now. */
export interface RecipientModel {
  readonly id: string;
  readonly name: string;
  readonly currentRevisionId: string;
  readonly sourceId: string;
}

/** What decides which models a recipient gets. */
export interface Catalogue {
  readonly recipientProducts: readonly string[];
  readonly products: readonly { readonly name: string; readonly models: readonly string[] }[];
}

/** Everything in `enabled_models`: all models, present and future. */
export const allModels = '*';

/** What a recipient without products gets, where a product of that name is there. */
export const defaultProduct = 'default';

/** The models of a recipient, by its products, in order of name. */
export async function listRecipientModels(
  db: Db,
  input: { environment: Environment; recipientId: string },
): Promise<RecipientModel[]> {
  const { environment, recipientId } = input;
  const [recipient] = await db
    .select({ products: recipients.products })
    .from(recipients)
    .where(and(eq(recipients.environment, environment), eq(recipients.id, recipientId)));
  if (!recipient) return [];
  const all = await readProducts(db, environment);
  const live = await db
    .select({
      id: models.id,
      name: models.name,
      currentRevisionId: models.currentRevisionId,
      sourceId: models.sourceId,
    })
    .from(models)
    .where(and(eq(models.environment, environment), isNull(models.deletedAt)))
    .orderBy(asc(models.name));
  const names = modelNamesOf({ recipientProducts: recipient.products, products: all });
  return names === allModels ? live : live.filter(({ name }) => names.has(name));
}

/** All products, each with the names of its models. */
export async function readProducts(
  db: Db,
  environment: Environment,
): Promise<Catalogue['products']> {
  return await db
    .select({ name: products.name, models: products.models })
    .from(products)
    .where(eq(products.environment, environment));
}

/**
 * Without any product everybody gets every model. Else the union of the recipient's products counts;
 * for a recipient without one, the product `default`, or every model where there is none of that name.
 */
export function modelNamesOf(catalogue: Catalogue): ReadonlySet<string> | typeof allModels {
  const { recipientProducts, products: all } = catalogue;
  if (all.length === 0) return allModels;
  const wanted = recipientProducts.length > 0 ? recipientProducts : [defaultProduct];
  const chosen = all.filter(({ name }) => wanted.includes(name));
  if (recipientProducts.length === 0 && chosen.length === 0) return allModels;
  return new Set(chosen.flatMap((product) => product.models));
}

/** Whether a destination's `enabled_models` lets the model through. */
export function isEnabledModel(enabledModels: readonly string[], name: string): boolean {
  return enabledModels.includes(allModels) || enabledModels.includes(name);
}
