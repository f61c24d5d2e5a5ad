import { and, asc, eq, isNotNull, isNull, ne, notInArray, sql } from 'drizzle-orm';
import { findLogicalType } from '../domain/data-type.ts';
import type { Violation } from '../domain/failure.ts';
import type { ModelHistory } from '../domain/model-history.ts';
import { destinationTableOf, type ModelDefinition } from '../domain/model.ts';
import type { ModelContext, NamedSource } from '../domain/model-rules.ts';
import type { Environment } from '../domain/statuses.ts';
import type { Db } from './database.ts';
import { destinations, modelRevisions, models, nameHistory, products, sources } from './schema.ts';
import { transferModels } from './transfer-schema.ts';

/** What the gathering needs to know of the stored model. */
interface Before {
  readonly id: string;
  readonly name: string;
  readonly definition: ModelDefinition;
  readonly sourceId: string;
}

interface Gathering {
  readonly environment: Environment;
  readonly definition: ModelDefinition;
  /** The stored model, where it is not a new one. */
  readonly before?: Before | undefined;
  /** Keeps the sources from being deleted until the transaction ends. */
  readonly lockSources?: boolean | undefined;
}

/** Everything the rules compare a model with, and what is wrong with its change of name. */
export async function gatherContext(
  db: Db,
  input: Gathering,
): Promise<{ context: ModelContext; nameViolations: Violation[] }> {
  const { environment, definition, before } = input;
  const history = await readHistory(db, input);
  const context: ModelContext = {
    environment,
    sources: await readSources(db, input),
    otherTables: await readOtherTables(db, input),
    history,
    multiTenant: true,
  };
  const isRenamed = before !== undefined && before.name !== definition.model_name;
  if (!isRenamed || !history.wasTransferred) return { context, nameViolations: [] };
  const message = `model_name is fixed: ${before.name} has been transferred. Make a new model instead.`;
  return { context, nameViolations: [{ path: 'model.model_name', code: 'fixed', message }] };
}

/** The sources that a model may name, the oldest first. */
export async function readSources(
  db: Db,
  { environment, lockSources }: Pick<Gathering, 'environment' | 'lockSources'>,
): Promise<NamedSource[]> {
  const query = db
    .select({ id: sources.id, name: sources.name })
    .from(sources)
    .where(and(eq(sources.environment, environment), isNull(sources.deletedAt)))
    .orderBy(asc(sources.createdAt), asc(sources.id));
  return lockSources === true ? await query.for('key share') : await query;
}

async function readOtherTables(
  db: Db,
  { environment, before }: Gathering,
): Promise<{ table: string; model: string }[]> {
  const others = await db
    .select({ definition: modelRevisions.definition })
    .from(models)
    .innerJoin(modelRevisions, eq(modelRevisions.id, models.currentRevisionId))
    .where(
      and(
        eq(models.environment, environment),
        isNull(models.deletedAt),
        before && ne(models.id, before.id),
      ),
    );
  return others.map(({ definition }) => ({
    table: destinationTableOf(definition),
    model: definition.model_name,
  }));
}

async function readHistory(db: Db, { environment, before }: Gathering): Promise<ModelHistory> {
  const droppedTables = await db
    .selectDistinct({ name: nameHistory.name })
    .from(nameHistory)
    .where(
      and(
        eq(nameHistory.environment, environment),
        eq(nameHistory.kind, 'table'),
        isNotNull(nameHistory.droppedAt),
      ),
    );
  return {
    previous: before?.definition,
    previousSourceId: before?.sourceId,
    droppedColumns: before ? await readDroppedColumns(db, before.id) : [],
    droppedTables: droppedTables.map(({ name }) => name),
    wasTransferred: before ? await wasTransferred(db, before.id) : false,
  };
}

async function readDroppedColumns(db: Db, modelId: string): Promise<string[]> {
  const isDropped = and(
    eq(nameHistory.modelId, modelId),
    eq(nameHistory.kind, 'column'),
    isNotNull(nameHistory.droppedAt),
  );
  const dropped = await db.select({ name: nameHistory.name }).from(nameHistory).where(isDropped);
  return dropped.map(({ name }) => name);
}

async function wasTransferred(db: Db, modelId: string): Promise<boolean> {
  const [row] = await db
    .select({ id: transferModels.modelId })
    .from(transferModels)
    .where(eq(transferModels.modelId, modelId))
    .limit(1);
  return row !== undefined;
}

/** Notes the names of a revision as in use, and those of the model that it has no more as dropped. */
export async function recordNames(
  tx: Db,
  input: { environment: Environment; modelId: string; definition: ModelDefinition },
): Promise<void> {
  const { environment, modelId, definition } = input;
  const table = { kind: 'table' as const, name: destinationTableOf(definition), dataType: null };
  const columns = definition.columns.map((column) => ({
    kind: 'column' as const,
    name: column.name_in_destination,
    dataType: findLogicalType(column.data_type) ?? null,
  }));
  const names = [table, ...columns].map((entry) => ({
    ...entry,
    environment,
    modelId,
    name: entry.name.toLowerCase(),
  }));
  await tx
    .insert(nameHistory)
    .values(names)
    .onConflictDoUpdate({
      target: [nameHistory.modelId, nameHistory.kind, nameHistory.name],
      set: { dataType: sql`excluded.data_type`, droppedAt: null },
    });
  for (const kind of ['table', 'column'] as const) {
    const current = names.filter((entry) => entry.kind === kind).map(({ name }) => name);
    await tx
      .update(nameHistory)
      .set({ droppedAt: sql`now()` })
      .where(
        and(
          eq(nameHistory.modelId, modelId),
          eq(nameHistory.kind, kind),
          notInArray(nameHistory.name, current),
          isNull(nameHistory.droppedAt),
        ),
      );
  }
}

/** Of a deleted model: no other one may land where its rows still are. */
export async function dropNames(tx: Db, input: { modelId: string }): Promise<void> {
  await tx
    .update(nameHistory)
    .set({ droppedAt: sql`now()` })
    .where(and(eq(nameHistory.modelId, input.modelId), isNull(nameHistory.droppedAt)));
}

/** Carries a new name to the products and destinations that list the model by its old one. */
export async function renameModel(
  tx: Db,
  input: { environment: Environment; from: string; to: string },
): Promise<void> {
  const { environment, from, to } = input;
  if (from === to) return;
  await tx
    .update(products)
    .set({ models: sql`array_replace(${products.models}, ${from}, ${to})` })
    .where(and(eq(products.environment, environment), sql`${from} = any(${products.models})`));
  await tx
    .update(destinations)
    .set({ enabledModels: sql`array_replace(${destinations.enabledModels}, ${from}, ${to})` })
    .where(
      and(
        eq(destinations.environment, environment),
        sql`${from} = any(${destinations.enabledModels})`,
      ),
    );
}
