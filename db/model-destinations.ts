import { and, asc, eq, isNull } from 'drizzle-orm';
import type { LandedTable } from '../domain/load.ts';
import type { Environment } from '../domain/statuses.ts';
import type { Db } from './database.ts';
import { allModels, isEnabledModel, modelNamesOf, readProducts } from './recipient-models.ts';
import { destinations, modelStates, recipients } from './schema.ts';

/** A destination that gets a model of some name. */
export interface ModelDestination {
  readonly id: string;
  readonly name: string;
  readonly recipientId: string;
  /** As the last successful transfer left it. */
  readonly applied: LandedTable | undefined;
}

/** Where a model of that name lands, stored or not, the oldest destination first. */
export async function listModelDestinations(
  db: Db,
  input: { environment: Environment; modelName: string; modelId: string | undefined },
): Promise<ModelDestination[]> {
  const { environment, modelName, modelId } = input;
  const all = await readProducts(db, environment);
  const rows = await db
    .select({
      id: destinations.id,
      name: destinations.name,
      recipientId: destinations.recipientId,
      enabledModels: destinations.enabledModels,
      recipientProducts: recipients.products,
    })
    .from(destinations)
    .innerJoin(recipients, eq(recipients.id, destinations.recipientId))
    .where(and(eq(destinations.environment, environment), isNull(destinations.deletedAt)))
    .orderBy(asc(destinations.createdAt), asc(destinations.id));
  const applied =
    modelId === undefined ? new Map<string, LandedTable>() : await readApplied(db, modelId);
  return rows
    .filter(({ enabledModels, recipientProducts }) => {
      const names = modelNamesOf({ recipientProducts, products: all });
      const isOwn = names === allModels || names.has(modelName);
      return isOwn && isEnabledModel(enabledModels, modelName);
    })
    .map(({ id, name, recipientId }) => ({ id, name, recipientId, applied: applied.get(id) }));
}

async function readApplied(db: Db, modelId: string): Promise<Map<string, LandedTable>> {
  const states = await db
    .select({ id: modelStates.destinationId, table: modelStates.appliedTable })
    .from(modelStates)
    .where(eq(modelStates.modelId, modelId));
  return new Map(states.flatMap(({ id, table }) => (table === null ? [] : [[id, table] as const])));
}
