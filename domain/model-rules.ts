import { Failure, type Violation } from './failure.ts';
import { findLogicalType } from './data-type.ts';
import { historyViolations, type ModelHistory } from './model-history.ts';
import {
  destinationTableOf,
  parseRelation,
  type ModelColumn,
  type ModelDefinition,
} from './model.ts';
import { reservedPrefixes, reservedWords } from './reserved-words.ts';
import { templateError } from './source-query.ts';
import type { Environment } from './statuses.ts';

/** A source that a model may name. */
export interface NamedSource {
  readonly id: string;
  readonly name: string;
}

/** What the rules must know besides the model itself. */
export interface ModelContext {
  readonly environment: Environment;
  readonly sources: readonly NamedSource[];
  /** Destination tables of all other models of the environment. */
  readonly otherTables: readonly { readonly table: string; readonly model: string }[];
  readonly history: ModelHistory;
  /** Whether tenants share tables, so that a tenant column is needed. */
  readonly multiTenant: boolean;
}

export interface ModelFindings {
  /** Each of them refuses the model. */
  readonly violations: Violation[];
  readonly warnings: Violation[];
}

/** Key and last-modified column stand among so many first columns: some destinations index by position. */
const leadingColumnsMax = 32;

/** Stored beside our tables at a destination. */
const ourTables = ['_transfer_status', '_manifests'];
const ourTablePrefix = '_waybill_';

/** No model starts later than the end of the year 9999. */
const startEpochSecondsMax = 253_402_300_799;

/** All that is wrong with a model's form and with what it changes, each with its path and its remedy. */
export function checkModel(model: ModelDefinition, context: ModelContext): ModelFindings {
  const source = resolveSource(model, context.sources);
  const sourceId = 'source' in source ? source.source.id : undefined;
  const changes = historyViolations(model, sourceId, context.history);
  const violations = [
    ...tableViolations(model),
    ...model.columns.flatMap((column, index) => columnViolations(model, column, index)),
    ...roleViolations(model, context),
    ...repeatedColumns(model.columns),
    ...takenTable(model, context),
    ...('violation' in source ? [source.violation] : []),
    ...windowViolations(model),
  ];
  // In staging a change may break transfers until a full refresh; in prod nobody is there to ask for one.
  return context.environment === 'prod'
    ? { violations: [...violations, ...changes], warnings: [] }
    : { violations, warnings: changes };
}

export type SourceNames = Pick<ModelDefinition, 'source_name' | 'source_id'>;

/** The source that a model reads, or what is wrong with the way it names one (M14). */
export function resolveSource(
  model: SourceNames,
  sources: readonly NamedSource[],
): { readonly source: NamedSource } | { readonly violation: Violation } {
  const { source_name: name, source_id: id } = model;
  if (!name && !id) return onlySource(sources);
  const byName = sources.find((source) => source.name === name);
  const byId = sources.find((source) => source.id === id);
  const known = sources.map((source) => `"${source.name}"`).join(', ') || 'none';
  if (name && byName === undefined) {
    const remedy = `There is no source "${name}". Name one of: ${known}.`;
    return { violation: violation('model.source_name', 'M14_unknown_source', remedy) };
  }
  if (id && byId === undefined) {
    const remedy = `There is no source with the id ${id}. Use source_name with one of: ${known}.`;
    return { violation: violation('model.source_id', 'M14_unknown_source', remedy) };
  }
  const source = byName ?? byId;
  if (source === undefined || (name && id && byName !== byId)) {
    const remedy = 'source_name and source_id name different sources. Leave one of them out.';
    return { violation: violation('model.source_id', 'M14_two_sources', remedy) };
  }
  return { source };
}

function onlySource(sources: readonly NamedSource[]) {
  const [only, ...others] = sources;
  if (only === undefined) {
    const remedy = 'There is no source yet. Create one before the model that reads it.';
    return { violation: violation('model.source_name', 'M14_no_source', remedy) };
  }
  if (others.length === 0) return { source: only };
  const names = sources.map(({ name }) => `"${name}"`).join(', ');
  const remedy = `There are several sources. Say in source_name which one is read: ${names}.`;
  return { violation: violation('model.source_name', 'M14_source_not_named', remedy) };
}

function violation(path: string, code: string, message: string): Violation {
  return { path, code, message };
}

function tablePath(model: ModelDefinition): string {
  return model.destination_table_name ? 'model.destination_table_name' : 'model.model_name';
}

function tableViolations(model: ModelDefinition): Violation[] {
  const found: Violation[] = [];
  if (model.columns.length === 0) {
    found.push(violation('model.columns', 'M1_no_columns', 'List at least one column.'));
  }
  if (relationNames(model.source_table).length === 0) {
    const remedy = 'Write the table as schema.table; put a part that holds dots in double quotes.';
    found.push(violation('model.source_table', 'M1_source_table', remedy));
  }
  const wrong = model.source_query ? templateError(model.source_query) : undefined;
  if (wrong !== undefined) found.push(violation('model.source_query', 'M15_source_query', wrong));
  const table = destinationTableOf(model);
  found.push(...nameViolations(table, tablePath(model)));
  if (isOurTable(table)) {
    const remedy = `Waybill keeps its own notes in tables like ${table}. Choose another name.`;
    found.push(violation(tablePath(model), 'M12_reserved_table', remedy));
  }
  return found;
}

/** The source table as written and by its last part; empty where the text names no table. */
function relationNames(sourceTable: string): string[] {
  try {
    return [sourceTable.trim(), parseRelation(sourceTable).table];
  } catch (error) {
    if (error instanceof Failure) return [];
    throw error;
  }
}

function isOurTable(table: string): boolean {
  const lower = table.toLowerCase();
  return ourTables.includes(lower) || lower.startsWith(ourTablePrefix);
}

function nameViolations(name: string, path: string): Violation[] {
  if (/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(name)) return [];
  const remedy =
    `"${name}" cannot be a name at a destination. Use at most 63 letters, digits and underscores, ` +
    'and do not begin with a digit.';
  return [violation(path, 'M12_name', remedy)];
}

function columnViolations(model: ModelDefinition, column: ModelColumn, index: number): Violation[] {
  const path = `model.columns[${index}]`;
  const fields = ['name_in_source', 'name_in_destination', 'data_type'] as const;
  const empty = fields.filter((field) => column[field].trim() === '');
  if (empty.length > 0) {
    return empty.map((field) => violation(`${path}.${field}`, 'M2_missing', `Fill in ${field}.`));
  }
  return [
    ...typeViolations(column, path),
    ...wordViolations(column.name_in_destination, `${path}.name_in_destination`),
    ...nameViolations(column.name_in_destination, `${path}.name_in_destination`),
    ...namedLikeTable(model, column, path),
  ];
}

function typeViolations({ data_type: word }: ModelColumn, path: string): Violation[] {
  if (findLogicalType(word) !== undefined) return [];
  const remedy =
    `"${word}" is not a type. Use string, boolean, integer, bigint, decimal, float, timestamp, date, ` +
    'time, bytes, json or array.';
  return [violation(`${path}.data_type`, 'M6_unknown_data_type', remedy)];
}

function wordViolations(name: string, path: string): Violation[] {
  const lower = name.toLowerCase();
  if (reservedWords.has(lower)) {
    const remedy = `"${name}" is a reserved word at some destination. Choose another name, such as ${lower}_value.`;
    return [violation(path, 'M8_reserved_word', remedy)];
  }
  const prefix = reservedPrefixes.find((reserved) => lower.startsWith(reserved));
  if (prefix === undefined) return [];
  const remedy = `Names that begin with ${prefix} belong to some destination. Choose another name than "${name}".`;
  return [violation(path, 'M9_reserved_prefix', remedy)];
}

function namedLikeTable(model: ModelDefinition, column: ModelColumn, path: string): Violation[] {
  const tables = [...relationNames(model.source_table), destinationTableOf(model)];
  const taken = new Set(tables.map((name) => name.toLowerCase()));
  const fields = ['name_in_source', 'name_in_destination'] as const;
  return fields
    .filter((field) => taken.has(column[field].toLowerCase()))
    .map((field) => {
      const remedy = `A column cannot be named like its table ("${column[field]}"). Rename one of them.`;
      return violation(`${path}.${field}`, 'M10_named_like_table', remedy);
    });
}

function roleViolations(model: ModelDefinition, context: ModelContext): Violation[] {
  const { columns } = model;
  const found: Violation[] = [];
  if (!columns.some((column) => column.is_primary_key)) {
    const remedy = 'Mark the column or columns that identify a row with is_primary_key.';
    found.push(violation('model.columns', 'M3_no_key', remedy));
  }
  if (columns.filter((column) => column.is_last_modified).length !== 1) {
    const remedy =
      'Mark exactly one column with is_last_modified: the one that is set whenever a row changes.';
    found.push(violation('model.columns', 'M4_last_modified', remedy));
  }
  if (context.multiTenant && !model.organization_column?.trim()) {
    const remedy = 'Name the source column that says whose row it is in organization_column.';
    found.push(violation('model.organization_column', 'M7_no_tenant_column', remedy));
  }
  return [...found, ...columns.flatMap((column, index) => roleOfColumn(column, index))];
}

function roleOfColumn(column: ModelColumn, index: number): Violation[] {
  const path = `model.columns[${index}]`;
  const found: Violation[] = [];
  const type = findLogicalType(column.data_type);
  if (column.is_last_modified && type !== undefined && type !== 'timestamp') {
    const remedy = `The last-modified column has to be a timestamp, not ${column.data_type}.`;
    found.push(violation(`${path}.data_type`, 'M4_last_modified_type', remedy));
  }
  if (column.is_last_modified && column.is_primary_key) {
    const remedy = 'The last-modified column changes, so it cannot be part of the key.';
    found.push(violation(`${path}.is_primary_key`, 'M4_last_modified_key', remedy));
  }
  if (index >= leadingColumnsMax && (column.is_last_modified || column.is_primary_key)) {
    const remedy = `Move key and last-modified columns up among the first ${leadingColumnsMax} columns.`;
    found.push(violation(path, 'M5_position', remedy));
  }
  return found;
}

function repeatedColumns(columns: readonly ModelColumn[]): Violation[] {
  const names = columns.map((column) => column.name_in_destination.toLowerCase());
  return columns.flatMap((column, index) => {
    const first = names.indexOf(names[index] ?? '');
    if (first === index || names[index]?.trim() === '') return [];
    const remedy = `model.columns[${first}] lands as "${column.name_in_destination}" too. Rename one of them.`;
    return [violation(`model.columns[${index}].name_in_destination`, 'M11_repeated', remedy)];
  });
}

function takenTable(model: ModelDefinition, { otherTables }: ModelContext): Violation[] {
  const table = destinationTableOf(model).toLowerCase();
  const other = otherTables.find((candidate) => candidate.table.toLowerCase() === table);
  if (other === undefined) return [];
  const remedy = `Model "${other.model}" lands in table ${other.table} already. Set another destination_table_name.`;
  return [violation(tablePath(model), 'M13_table_taken', remedy)];
}

function windowViolations(model: ModelDefinition): Violation[] {
  const found: Violation[] = [];
  const { max_transfer_time_window_seconds: windowSeconds, min_start_time_epoch: start } = model;
  if (typeof windowSeconds === 'number' && windowSeconds <= 0) {
    const remedy = 'A window has to be longer than 0 seconds.';
    found.push(violation('model.max_transfer_time_window_seconds', 'M16_window', remedy));
  }
  if (typeof start === 'number' && (start < 0 || start > startEpochSecondsMax)) {
    const remedy = `Give the start in seconds since 1970, from 0 to ${startEpochSecondsMax}.`;
    found.push(violation('model.min_start_time_epoch', 'M16_start', remedy));
  }
  return [...found, ...validationTimes(model)];
}

const rfc3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

function validationTimes(model: ModelDefinition): Violation[] {
  const fields = ['model_validation_start_time_epoch', 'model_validation_end_time_epoch'] as const;
  const found: Violation[] = [];
  const times = fields.map((field) => {
    const text = model[field];
    if (!text) return undefined;
    const millis = rfc3339.test(text) ? Date.parse(text) : Number.NaN;
    if (!Number.isNaN(millis)) return millis;
    const remedy = 'Write the time as in 2026-01-31T12:00:00Z.';
    found.push(violation(`model.${field}`, 'M16_time', remedy));
    return undefined;
  });
  const [start, end] = times;
  if (start !== undefined && end !== undefined && start >= end) {
    const remedy = 'The validation has to start before it ends.';
    found.push(violation('model.model_validation_end_time_epoch', 'M16_order', remedy));
  }
  return found;
}
