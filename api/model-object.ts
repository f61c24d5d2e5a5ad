import { z } from '@hono/zod-openapi';
import type { ModelRecord } from '../db/models.ts';
import type { Violation } from '../domain/failure.ts';
import {
  ModelColumn,
  ModelDefinition,
  parseRelation,
  lookbackSecondsMax,
} from '../domain/model.ts';
import { isJsonObject } from '../lib/deep-merge.ts';
import type { AppEnv } from './deps.ts';
import { ErrorDetail } from './envelope.ts';
import { invalidInput } from './errors.ts';
import { wireInteger } from './inputs.ts';
import { instantOut } from '../domain/outputs.ts';

const lastSecond = 253_402_300_799;

/** What is missing is told by the rules of models, together with all else that is wrong. */
const WireColumn = ModelColumn.extend({
  name_in_source: z.string().default(''),
  name_in_destination: z.string().default(''),
  data_type: z.string().default(''),
});

/** A model file with the lenient numbers of the wire. */
const WireModel = ModelDefinition.extend({
  columns: z.array(WireColumn).max(1600).default([]),
  source_table: z.string().default(''),
  max_transfer_time_window_seconds: wireInteger({ min: -lastSecond, max: lastSecond }).nullish(),
  min_start_time_epoch: wireInteger({ min: -lastSecond, max: lastSecond }).nullish(),
  lookback_seconds: wireInteger({ min: 0, max: lookbackSecondsMax }).nullish(),
});

/**
 * Any object: what it should be is judged later, with all faults at once, after null fields were dropped
 * and a sparse model was laid on the stored one. The document shows the fields of both.
 */
export const ModelInput = z.looseObject({}).openapi('ModelInput');
export const SparseModel = z.looseObject({}).openapi('ModelPatch', {
  description: 'Only what changes; the list of columns is replaced whole.',
});

export const Model = ModelDefinition.extend({
  columns: z.array(
    ModelColumn.extend({ is_primary_key: z.boolean(), is_last_modified: z.boolean() }),
  ),
  source_table: z.string().openapi({ description: 'Empty where a token reads it.' }),
  source_schema: z.string(),
  is_append_only: z.boolean(),
  allow_widening: z
    .boolean()
    .optional()
    .openapi({ description: 'Left out where a token reads it.' }),
  backfill_new_columns: z
    .boolean()
    .optional()
    .openapi({ description: 'Left out where a token reads it.' }),
  skip_transfer_source_validation: z.boolean(),
  max_transfer_time_window_seconds: z.int().nullable(),
  min_start_time_epoch: z.int().nullable(),
  id: z.uuid(),
  revision_id: z.uuid(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
}).openapi('Model');
export type Model = z.infer<typeof Model>;

/** An answer to a write: unknown fields and doubtful ones are named, not refused. */
export const ModelWritten = z.object({ model: Model, warnings: z.array(ErrorDetail) });

export const modelExample = {
  model: {
    model_name: 'invoices',
    description: 'One row per invoice sent',
    columns: [
      {
        name_in_source: 'invoice_id',
        name_in_destination: 'id',
        data_type: 'text',
        is_primary_key: true,
      },
      { name_in_source: 'net_total', name_in_destination: 'amount', data_type: 'decimal' },
      {
        name_in_source: 'changed_at',
        name_in_destination: 'modified_at',
        data_type: 'timestamp',
        is_last_modified: true,
      },
    ],
    source_table: 'billing.invoice',
    source_name: 'Main database',
    organization_column: 'account_id',
  },
};

/** The object of the API: the file as it was written, with what we know of it. */
export function presentModel(record: ModelRecord): Model {
  const { definition } = record;
  return {
    model_name: definition.model_name,
    destination_table_name: definition.destination_table_name ?? null,
    description: definition.description ?? null,
    columns: definition.columns.map((column) => ({
      ...column,
      description: column.description ?? null,
    })),
    source_table: definition.source_table,
    source_schema: parseRelation(definition.source_table).schema ?? '',
    source_query: definition.source_query ?? null,
    source_name: definition.source_name ?? null,
    source_id: definition.source_id ?? null,
    organization_column: definition.organization_column ?? null,
    is_append_only: definition.is_append_only,
    max_transfer_time_window_seconds: definition.max_transfer_time_window_seconds ?? null,
    min_start_time_epoch: definition.min_start_time_epoch ?? null,
    lookback_seconds: definition.lookback_seconds ?? null,
    allow_widening: definition.allow_widening ?? false,
    null_last_modified: definition.null_last_modified ?? null,
    backfill_new_columns: definition.backfill_new_columns ?? false,
    skip_transfer_source_validation: definition.skip_transfer_source_validation,
    model_validation_id_in_provider_system:
      definition.model_validation_id_in_provider_system ?? null,
    model_validation_start_time_epoch: definition.model_validation_start_time_epoch ?? null,
    model_validation_end_time_epoch: definition.model_validation_end_time_epoch ?? null,
    model_validation_tags: definition.model_validation_tags ?? null,
    id: record.id,
    revision_id: record.revisionId,
    created_at: instantOut(record.createdAt),
    updated_at: instantOut(record.updatedAt),
  };
}

/**
 * For the holder of a token: where the rows come from is the vendor's own matter. Named one by one, so that a
 * field that models get later is not shown by itself.
 */
function presentForRecipient(record: ModelRecord): Model {
  const model = presentModel(record);
  return {
    model_name: model.model_name,
    destination_table_name: model.destination_table_name,
    description: model.description,
    columns: model.columns.map((column) => ({
      name_in_source: column.name_in_destination,
      name_in_destination: column.name_in_destination,
      data_type: column.data_type,
      is_primary_key: column.is_primary_key,
      is_last_modified: column.is_last_modified,
      description: column.description,
    })),
    source_table: '',
    source_schema: '',
    source_name: '',
    organization_column: '',
    is_append_only: model.is_append_only,
    max_transfer_time_window_seconds: model.max_transfer_time_window_seconds,
    min_start_time_epoch: model.min_start_time_epoch,
    skip_transfer_source_validation: model.skip_transfer_source_validation,
    id: model.id,
    revision_id: model.revision_id,
    created_at: model.created_at,
    updated_at: model.updated_at,
  };
}

/** As the caller may see models. */
export function modelPresenter(c: { readonly var: AppEnv['Variables'] }) {
  return c.var.recipientId === undefined ? presentModel : presentForRecipient;
}

/** A whole model from the wire, null meaning: not given. @throws Failure `invalid` with all violations. */
export function parseModel(input: unknown): ModelDefinition {
  const given = withoutNulls(input);
  const parsed = WireModel.safeParse(given);
  if (!parsed.success) throw invalidInput(parsed.error, given, 'model');
  return parsed.data;
}

/** The stored model with a sparse one laid on it. */
export function mergeModel(stored: ModelDefinition, patch: object): unknown {
  const merged: Record<string, unknown> = { ...stored, ...patch };
  // The stored way of naming the source gives way to a newly given one.
  if ('source_name' in patch && !('source_id' in patch)) delete merged['source_id'];
  if ('source_id' in patch && !('source_name' in patch)) delete merged['source_name'];
  return merged;
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => withoutNulls(item));
  if (!isJsonObject(value)) return value;
  const given = Object.entries(value).filter(([, item]) => item !== null && item !== undefined);
  return Object.fromEntries(given.map(([key, item]) => [key, withoutNulls(item)]));
}

/** What clients read and send back besides the file's own fields. */
const readOnly = [
  'id',
  'revision_id',
  'created_at',
  'updated_at',
  'source_schema',
  'skip_model_validation',
];

/** Names the keys that mean nothing to us: they are ignored, and most often misspelt. */
export function unknownKeys(input: object): Violation[] {
  const known = new Set([...Object.keys(WireModel.shape), ...readOnly]);
  const { columns } = input as { columns?: unknown };
  const ofColumns = Array.isArray(columns) ? columns.map((column: unknown) => column) : [];
  return [
    ...unknownIn(input, known, 'model'),
    ...ofColumns.flatMap((column, index) => {
      const isObject = typeof column === 'object' && column !== null;
      return isObject
        ? unknownIn(column, new Set(Object.keys(ModelColumn.shape)), `model.columns[${index}]`)
        : [];
    }),
  ];
}

function unknownIn(input: object, known: ReadonlySet<string>, path: string): Violation[] {
  const strangers = Object.keys(input).filter((key) => !known.has(key));
  return strangers.slice(0, 100).map((key) => {
    const shown = key.slice(0, 100);
    return {
      path: `${path}.${shown}`,
      code: 'unknown_field',
      message: `${path}.${shown} is no field of a model; it was ignored.`,
    };
  });
}
