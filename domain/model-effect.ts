import { isJsonObject, type JsonObject } from '../lib/deep-merge.ts';
import { planEvolution, type LiveTable } from './evolution.ts';
import { toFailure } from './failure.ts';
import { landedTableOf } from './landed-table.ts';
import { loadIdentityOf } from './load-identity.ts';
import type { LandedTable } from './load.ts';
import { sharedTableOf, type ModelDefinition } from './model.ts';

/** A model with the source that it reads. */
export interface PlacedModel {
  readonly definition: ModelDefinition;
  readonly sourceId: string;
}

/** What a write of a model would change in the model itself. */
export interface ModelChange {
  readonly kind: 'create' | 'update' | 'none';
  /** Fields that differ, `columns` only where one of them differs in itself or in its place. */
  readonly fields: readonly string[];
  /** As they land. */
  readonly addedColumns: readonly string[];
  readonly removedColumns: readonly string[];
  /** Copies that are there are copies of something else: every destination loads it anew. */
  readonly startsOver: boolean;
}

export function changeOf(before: PlacedModel | undefined, after: PlacedModel): ModelChange {
  const landed = after.definition.columns.map((column) => column.name_in_destination);
  if (before === undefined) {
    const fields = Object.keys(given(after.definition));
    return {
      ...{ kind: 'create', fields, startsOver: false },
      ...{ addedColumns: landed, removedColumns: [] },
    };
  }
  const was = before.definition.columns.map((column) => column.name_in_destination);
  const fields = differences(before.definition, after.definition);
  const isMoved = before.sourceId !== after.sourceId;
  return {
    kind: fields.length > 0 || isMoved ? 'update' : 'none',
    fields,
    addedColumns: landed.filter((name) => !was.includes(name)),
    removedColumns: was.filter((name) => !landed.includes(name)),
    startsOver: identityOf(before) !== identityOf(after),
  };
}

/** The tenant is the same before and after, whoever it is. */
function identityOf({ definition, sourceId }: PlacedModel): string {
  return loadIdentityOf({ sourceId, table: sharedTableOf(definition), tenantId: '' });
}

/** An absent field and a null one mean the same, and the order of fields means nothing. */
function given(definition: ModelDefinition): JsonObject {
  const sorted = (value: JsonObject) =>
    Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  const text = JSON.stringify(definition, (_, value: unknown) =>
    isJsonObject(value) ? sorted(value) : (value ?? undefined),
  );
  return JSON.parse(text) as JsonObject;
}

function differences(before: ModelDefinition, after: ModelDefinition): string[] {
  const [was, is] = [given(before), given(after)];
  const names = new Set([...Object.keys(was), ...Object.keys(is)]);
  return [...names].filter((name) => JSON.stringify(was[name]) !== JSON.stringify(is[name]));
}

/** What the next transfer to one destination would do because of it, as far as we know the destination. */
export interface ModelEffect {
  readonly action: 'none' | 'change' | 'first_load' | 'refused';
  /** Columns that the table gets. */
  readonly adds: readonly string[];
  /** Columns whose type becomes a wider one. */
  readonly widens: readonly string[];
  /** Columns that stay as they are and are no longer written. */
  readonly leaves: readonly string[];
  /** Why it is refused. */
  readonly reason: string | undefined;
}

/** @param applied the table as the last successful transfer left it; undefined where none was */
export function effectAt(
  definition: ModelDefinition,
  { applied, startsOver }: { applied: LandedTable | undefined; startsOver: boolean },
): ModelEffect {
  const wanted = landedTableOf(sharedTableOf(definition));
  const names = wanted.columns.map(({ name }) => name);
  if (applied === undefined || applied.name !== wanted.name) {
    return { action: 'first_load', adds: names, widens: [], leaves: [], reason: undefined };
  }
  const had = applied.columns.map(({ name }) => name);
  const adds = names.filter((name) => !had.includes(name));
  const leaves = had.filter((name) => !names.includes(name));
  try {
    const steps = planEvolution(wanted, liveTableOf(applied));
    const isSame = steps.length === 0 && leaves.length === 0;
    const action = isSame ? 'none' : 'change';
    const widens = steps.flatMap((step) =>
      step.kind === 'widen_column' ? [step.column.name] : [],
    );
    return { action: startsOver ? 'first_load' : action, adds, widens, leaves, reason: undefined };
  } catch (error) {
    return { action: 'refused', adds, widens: [], leaves, reason: toFailure(error).message };
  }
}

/** The table as it must be if nobody but us has touched it. */
function liveTableOf(applied: LandedTable): LiveTable {
  const columns = applied.columns.map(({ name, type, description }) => ({
    ...{ name, type, fits: [type], comment: description },
  }));
  return { kind: 'table', columns, key: applied.key, comment: applied.description };
}
