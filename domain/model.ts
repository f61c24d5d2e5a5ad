import { z } from 'zod';
import { Failure } from './failure.ts';
import { findLogicalType, type LogicalType } from './data-type.ts';

/** A month: beyond it a full refresh is the better tool. */
export const lookbackSecondsMax = 31 * 86_400;

/** What a model may say of rows that no window can have. */
export const nullLastModified = ['leave_out', 'refuse'] as const;

/** One column of a model, as its file has it. */
export const ModelColumn = z.object({
  name_in_source: z.string().min(1),
  name_in_destination: z.string().min(1),
  data_type: z.string().min(1),
  is_primary_key: z.boolean().default(false),
  is_last_modified: z.boolean().default(false),
  description: z.string().nullish(),
});
export type ModelColumn = z.infer<typeof ModelColumn>;

/**
 * A model file, in the snake_case of the wire, because it is stored and answered as it was written.
 * The rules that span several fields are in `model-rules.ts`.
 */
export const ModelDefinition = z.object({
  model_name: z.string().min(1),
  destination_table_name: z.string().min(1).nullish(),
  description: z.string().nullish(),
  columns: z.array(ModelColumn),
  source_table: z.string().min(1),
  source_query: z.string().nullish(),
  source_name: z.string().nullish(),
  source_id: z.string().nullish(),
  organization_column: z.string().nullish(),
  is_append_only: z.boolean().default(false),
  max_transfer_time_window_seconds: z.int().positive().nullish(),
  min_start_time_epoch: z.int().min(0).nullish(),
  /** Ours: how far below the watermark an increment begins; the source's usual one where it is left out. */
  lookback_seconds: z.int().min(0).max(lookbackSecondsMax).nullish(),
  /** Ours: a destination's column may become wider, at the price of the lock that it takes. */
  allow_widening: z.boolean().default(false),
  /** Ours: what becomes of rows whose last-modified value is null. Left out: they stay where they are. */
  null_last_modified: z.enum(nullLastModified).nullish(),
  /** Ours: a column that is added later is filled in the rows that have landed before. */
  backfill_new_columns: z.boolean().default(false),
  skip_transfer_source_validation: z.boolean().default(false),
  model_validation_id_in_provider_system: z.string().nullish(),
  model_validation_start_time_epoch: z.string().nullish(),
  model_validation_end_time_epoch: z.string().nullish(),
  model_validation_tags: z.record(z.string(), z.string()).nullish(),
});
export type ModelDefinition = z.infer<typeof ModelDefinition>;

/** The name under which a model lands. */
export function destinationTableOf(model: ModelDefinition): string {
  return model.destination_table_name ?? model.model_name;
}

/** A template with its values in it: one SELECT statement, to be read in place of a table. */
export interface SourceQuery {
  readonly sql: string;
  /** The same with the tenant's values masked: what may be shown. */
  readonly masked: string;
  /** Whether the tenant stands in it, outside comments. */
  readonly namesTenant: boolean;
}

/** A table at the source. Without a schema the connection's own search path decides. */
export interface Relation {
  readonly schema: string | undefined;
  readonly table: string;
  /** Read in place of the table, which then only names the model's origin. */
  readonly query?: SourceQuery;
}

export interface SharedColumn {
  readonly nameInSource: string;
  readonly nameInDestination: string;
  readonly type: LogicalType;
  readonly description: string | undefined;
}

/** A model as the data plane wants it: checked, with its columns in the order in which they travel. */
export interface SharedTable {
  readonly modelName: string;
  readonly relation: Relation;
  /** Its values are put in for each statement (`tableForRead`). */
  readonly queryTemplate: string | undefined;
  readonly destinationTable: string;
  readonly description: string | undefined;
  /** Wire order: last-modified, then the key, then the others as in the model. */
  readonly columns: readonly SharedColumn[];
  /** The same columns as in the model file. */
  readonly modelOrder: readonly SharedColumn[];
  readonly lastModified: SharedColumn;
  /** In the order of the model file. */
  readonly key: readonly SharedColumn[];
  readonly tenantColumn: string;
  readonly isAppendOnly: boolean;
  /** No statement reads more of the last-modified range than this. */
  readonly windowSeconds: number | undefined;
  readonly minStartEpochSeconds: number | undefined;
  readonly lookbackSeconds: number | undefined;
  readonly allowWidening: boolean;
  /** Rows without a last-modified value fail the model; else they are left out and counted. */
  readonly refusesUnstamped: boolean;
}

const part = /^(?:"((?:[^"]|"")+)"|([^".]+))(?:\.|$)/;

/**
 * `schema.table` or `table`; a part in double quotes may hold dots.
 * @throws Failure `source_mismatch` when the text is neither.
 */
export function parseRelation(text: string): Relation {
  const parts: string[] = [];
  let rest = text.trim();
  while (rest !== '' && parts.length < 3) {
    const match = part.exec(rest);
    if (match === null) break;
    parts.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    rest = rest.slice(match[0].length);
  }
  const [first, second] = parts;
  if (rest !== '' || first === undefined || parts.length > 2 || text.trim().endsWith('.')) {
    const sentence = `source_table "${text}" is not of the form schema.table.`;
    throw new Failure('source_mismatch', sentence, { code: 'CONF' });
  }
  return second === undefined
    ? { schema: undefined, table: first }
    : { schema: first, table: second };
}

/**
 * The data plane's view of a model that has passed its rules.
 * @throws Failure `source_mismatch` when it has not, which the rules should have caught.
 */
export function sharedTableOf(model: ModelDefinition): SharedTable {
  const columns = model.columns.map((column) => toSharedColumn(model, column));
  const isKey = (index: number) => model.columns[index]?.is_primary_key === true;
  const isLastModified = (index: number) => model.columns[index]?.is_last_modified === true;
  const key = columns.filter((_, index) => isKey(index));
  const [lastModified, ...more] = columns.filter((_, index) => isLastModified(index));
  const tenantColumn = model.organization_column;
  if (key.length === 0 || lastModified === undefined || more.length > 0 || !tenantColumn) {
    throw new Failure(
      'source_mismatch',
      `Model ${model.model_name} needs a key, one last-modified column and an organization_column.`,
      { code: 'CONF' },
    );
  }
  const others = columns.filter((_, index) => !isKey(index) && !isLastModified(index));
  return {
    modelName: model.model_name,
    relation: parseRelation(model.source_table),
    queryTemplate: model.source_query || undefined,
    destinationTable: destinationTableOf(model),
    description: model.description ?? undefined,
    columns: [lastModified, ...key, ...others],
    modelOrder: columns,
    lastModified,
    key,
    tenantColumn,
    isAppendOnly: model.is_append_only,
    windowSeconds: model.max_transfer_time_window_seconds ?? undefined,
    minStartEpochSeconds: model.min_start_time_epoch ?? undefined,
    lookbackSeconds: model.lookback_seconds ?? undefined,
    // Revisions that are older than the switch do not have it.
    allowWidening: model.allow_widening ?? false,
    refusesUnstamped: model.null_last_modified === 'refuse',
  };
}

function toSharedColumn(model: ModelDefinition, column: ModelColumn): SharedColumn {
  const type = findLogicalType(column.data_type);
  if (type === undefined) {
    throw new Failure(
      'type_unsupported',
      `Column ${column.name_in_destination} of model ${model.model_name} has the unknown type ${column.data_type}.`,
    );
  }
  return {
    nameInSource: column.name_in_source,
    nameInDestination: column.name_in_destination,
    type,
    description: column.description ?? undefined,
  };
}
