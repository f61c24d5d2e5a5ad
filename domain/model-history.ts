import { findLogicalType, isWidening } from './data-type.ts';
import type { Violation } from './failure.ts';
import { must } from '../lib/must.ts';
import { destinationTableOf, type ModelColumn, type ModelDefinition } from './model.ts';

/** What a model was before, and which names it may not take: `noHistory` for the first model of all. */
export interface ModelHistory {
  /** Its newest revision; undefined for a new model. */
  readonly previous: ModelDefinition | undefined;
  /** The source that revision reads; undefined where it is not known. */
  readonly previousSourceId: string | undefined;
  /** Destination names of columns that the model had once and has no more. */
  readonly droppedColumns: readonly string[];
  /** Destination tables that some model landed in once and lands in no more. */
  readonly droppedTables: readonly string[];
  /** Whether any transfer of it was ever submitted. */
  readonly wasTransferred: boolean;
}

export const noHistory: ModelHistory = {
  previous: undefined,
  previousSourceId: undefined,
  droppedColumns: [],
  droppedTables: [],
  wasTransferred: false,
};

/** What a change asks of destinations that cannot be done by adding alone (M23 to M25). */
export function historyViolations(
  model: ModelDefinition,
  sourceId: string | undefined,
  history: ModelHistory,
): Violation[] {
  return [
    ...model.columns.flatMap((_, index) => columnChanges(model, index, history)),
    ...tableReuse(model, history),
    ...(history.wasTransferred ? identityChanges(model, sourceId, history) : []),
  ];
}

function columnChanges(model: ModelDefinition, index: number, history: ModelHistory): Violation[] {
  const column = must(model.columns[index], 'a column of the model');
  const name = column.name_in_destination;
  const path = `model.columns[${index}]`;
  const before = history.previous?.columns.find((other) => isSame(other.name_in_destination, name));
  if (before === undefined) {
    if (!history.droppedColumns.some((dropped) => isSame(dropped, name))) return [];
    const message = `The model had a column "${name}" before, and its values are still at the destinations. Choose a new name.`;
    return [{ path: `${path}.name_in_destination`, code: 'M24_dropped_column', message }];
  }
  const [was, is] = [findLogicalType(before.data_type), findLogicalType(column.data_type)];
  if (is === undefined || was === is) return [];
  const canWiden = was !== undefined && isWidening(was, is);
  if (canWiden && model.allow_widening) return [];
  const remedy = canWiden
    ? 'Set allow_widening, or add a column under a new name.'
    : 'Add a column under a new name.';
  const message = `Column "${name}" is ${before.data_type} and cannot become ${column.data_type}. ${remedy}`;
  return [{ path: `${path}.data_type`, code: 'M23_type_changed', message }];
}

function isSame(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function tableReuse(
  model: ModelDefinition,
  { previous, droppedTables }: ModelHistory,
): Violation[] {
  const table = destinationTableOf(model);
  if (previous !== undefined && isSame(destinationTableOf(previous), table)) return [];
  if (!droppedTables.some((dropped) => isSame(dropped, table))) return [];
  const path = model.destination_table_name ? 'model.destination_table_name' : 'model.model_name';
  const message = `Table "${table}" was used before, and its rows are still at the destinations. Choose a new name.`;
  return [{ path, code: 'M24_dropped_table', message }];
}

function identityChanges(
  model: ModelDefinition,
  sourceId: string | undefined,
  { previous, previousSourceId }: ModelHistory,
): Violation[] {
  const found: Violation[] = [];
  const remedy = 'The rows that were transferred depend on it. Make a new model instead.';
  if (previous !== undefined && !hasSameColumns(model, previous, 'is_primary_key')) {
    const message = `The key cannot change. ${remedy}`;
    found.push({ path: 'model.columns', code: 'M25_key_changed', message });
  }
  if (previous !== undefined && !hasSameColumns(model, previous, 'is_last_modified')) {
    const message = `The last-modified column cannot change. ${remedy}`;
    found.push({ path: 'model.columns', code: 'M25_last_modified_changed', message });
  }
  if (sourceId !== undefined && previousSourceId !== undefined && sourceId !== previousSourceId) {
    const path = model.source_id ? 'model.source_id' : 'model.source_name';
    found.push({
      path,
      code: 'M25_source_changed',
      message: `The source cannot change. ${remedy}`,
    });
  }
  return found;
}

/** Whether the same columns of the source land as the same columns in that role, in whatever order. */
function hasSameColumns(
  model: ModelDefinition,
  previous: ModelDefinition,
  role: 'is_primary_key' | 'is_last_modified',
): boolean {
  const namesOf = (columns: readonly ModelColumn[]) =>
    columns
      .filter((column) => column[role])
      .map((column) => JSON.stringify([column.name_in_source, column.name_in_destination]))
      .toSorted()
      .join();
  return namesOf(model.columns) === namesOf(previous.columns);
}
