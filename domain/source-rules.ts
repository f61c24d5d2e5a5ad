import { findLogicalType, type LogicalType } from './data-type.ts';
import type { Violation } from './failure.ts';
import type { ModelDefinition } from './model.ts';
import { alwaysNamesTenant } from './source-query.ts';

/** A column of the source table, as its connector described it. */
export interface DescribedColumn {
  readonly name: string;
  readonly type: string;
  /** Logical types it may be declared as, the closest first. */
  readonly fits: readonly LogicalType[];
  readonly nullable: boolean;
  readonly comment?: string | undefined;
  /** Its place in the primary key or, where there is none, in a unique key; from 1. */
  readonly keyPlace?: number | undefined;
}

/** Rows that a validation looks at, and how long they may take. */
export const sampleRowsMax = 100;
export const sampleSecondsMax = 15;

/** What some rows of a source look like. Columns are named as they land. */
export interface Sample {
  readonly rows: number;
  /** Key and last-modified columns that are null in one of them. */
  readonly nulls: readonly string[];
  /** Whether two rows of one tenant have the same key. */
  readonly hasRepeatedKey: boolean;
  /** Columns with a value that their declared type cannot hold. */
  readonly unfit: readonly string[];
}

/** What a sample says against a model (M20, M22). */
export function checkSample(
  model: ModelDefinition,
  sample: Sample,
): { errors: Violation[]; warnings: Violation[] } {
  const at = (name: string) => {
    const index = model.columns.findIndex((column) => column.name_in_destination === name);
    return { path: `model.columns[${index}]`, column: model.columns[index] };
  };
  const errors = sample.unfit.map((name): Violation => {
    const { path, column } = at(name);
    const message =
      `A value of ${column?.name_in_source} does not fit ${column?.data_type}. ` +
      'Declare it as a string, or mend the value at the source.';
    return { path: `${path}.data_type`, code: 'value_unfit', message };
  });
  const warnings = sample.nulls.map((name): Violation => {
    const { path, column } = at(name);
    const isKey = column?.is_primary_key === true;
    const [role, remedy] = isKey
      ? ['key', 'such rows cannot be moved']
      : ['last-modified', 'null_last_modified says what becomes of such rows'];
    const message = `The ${role} column ${column?.name_in_source} is null in a sampled row; ${remedy}.`;
    const code = isKey ? 'key_null' : 'last_modified_null';
    return { path: `${path}.name_in_source`, code, message };
  });
  if (sample.hasRepeatedKey) {
    const message =
      'Two sampled rows of one tenant have the same key. Mark all columns that identify a row with is_primary_key.';
    warnings.push({ path: 'model.columns', code: 'key_repeated', message });
  }
  return { errors, warnings };
}

/** Nearly every type may be declared as a string; what it is itself is the first that fits. */
const tenantTypes: readonly (LogicalType | undefined)[] = ['string', 'integer', 'bigint'];

/** Whether a column of that type can say whose row it is (M21). */
export function mayBeTenant({ fits }: DescribedColumn): boolean {
  return tenantTypes.includes(fits[0]);
}

/** Where a model and its source table disagree (rules M19 to M22 as far as the catalogue tells). */
export function checkAgainstSource(
  model: ModelDefinition,
  source: readonly DescribedColumn[],
): { errors: Violation[]; warnings: Violation[] } {
  const errors: Violation[] = [];
  const warnings: Violation[] = [];
  const byName = new Map(source.map((column) => [column.name, column]));
  const near = source.slice(0, 40).map(({ name }) => name);
  for (const [index, column] of model.columns.entries()) {
    const path = `model.columns[${index}]`;
    const found = byName.get(column.name_in_source);
    const type = findLogicalType(column.data_type);
    if (found === undefined) {
      const message = `${model.source_query ? 'source_query' : model.source_table} has no column ${column.name_in_source}; it has ${near.join(', ')}.`;
      errors.push({ path: `${path}.name_in_source`, code: 'column_missing', message });
      continue;
    }
    if (type !== undefined && !found.fits.includes(type)) {
      const message =
        `Column ${column.name_in_source} is ${found.type} at the source, declared ${column.data_type}; ` +
        `it may be declared ${found.fits.join(', ')}.`;
      errors.push({ path: `${path}.data_type`, code: 'type_mismatch', message });
    }
    if (
      !model.source_query &&
      found.nullable &&
      (column.is_primary_key || column.is_last_modified)
    ) {
      const role = column.is_primary_key ? 'key' : 'last-modified';
      const message = `The ${role} column ${column.name_in_source} may be null at the source; such rows cannot be moved.`;
      warnings.push({ path: `${path}.name_in_source`, code: 'nullable', message });
    }
  }
  errors.push(...checkTenantColumn(model, byName));
  return { errors, warnings };
}

function checkTenantColumn(
  model: ModelDefinition,
  byName: ReadonlyMap<string, DescribedColumn>,
): Violation[] {
  const name = model.organization_column;
  if (!name) return [];
  const path = 'model.organization_column';
  const found = byName.get(name);
  if (found === undefined) {
    if (model.source_query && alwaysNamesTenant(model.source_query)) return [];
    const message = model.source_query
      ? `source_query yields no column ${name}, and {{.IdInProviderSystem}} does not stand in every form of it: ` +
        'nothing would keep the rows of other tenants out. Select the column or filter by the placeholder.'
      : `${model.source_table} has no column ${name}.`;
    return [{ path, code: 'column_missing', message }];
  }
  if (mayBeTenant(found)) return [];
  const message = `The tenant column ${name} is ${found.type}; it must be a string, an integer or a uuid.`;
  return [{ path, code: 'tenant_type', message }];
}
