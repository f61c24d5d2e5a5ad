import { expect, test } from 'vitest';
import { ModelDefinition } from './model.ts';
import {
  checkAgainstSource,
  checkSample,
  type DescribedColumn,
  type Sample,
} from './source-rules.ts';

const model = ModelDefinition.parse({
  model_name: 'orders',
  source_table: 'shop.order_rows',
  organization_column: 'account',
  columns: [
    { name_in_source: 'id', name_in_destination: 'id', data_type: 'int', is_primary_key: true },
    {
      name_in_source: 'at',
      name_in_destination: 'at',
      data_type: 'timestamp',
      is_last_modified: true,
    },
  ],
});

const source: DescribedColumn[] = [
  { name: 'id', type: 'int4', fits: ['integer', 'bigint', 'string'], nullable: false },
  { name: 'at', type: 'timestamptz', fits: ['timestamp', 'string'], nullable: false },
  { name: 'account', type: 'uuid', fits: ['string'], nullable: false },
];

/** The source with one column changed; what is found, each as `path code`. */
function check(name: string, changed: Partial<DescribedColumn>, expected: string[]) {
  const columns = source.map((column) =>
    column.name === name ? { ...column, ...changed } : column,
  );
  const { errors, warnings } = checkAgainstSource(model, columns);
  expect([...errors, ...warnings].map(({ path, code }) => `${path} ${code}`)).toEqual(expected);
}

test('a source that has the columns in types that fit is accepted', () => {
  check('id', {}, []);
});

test('a column that is missing or does not fit is an error', () => {
  check('id', { name: 'ID' }, ['model.columns[0].name_in_source column_missing']);
  check('id', { fits: ['bigint', 'string'] }, ['model.columns[0].data_type type_mismatch']);
});

test('a key or stamp that may be null is a warning', () => {
  check('id', { nullable: true }, ['model.columns[0].name_in_source nullable']);
  check('at', { nullable: true }, ['model.columns[1].name_in_source nullable']);
});

test('the tenant column is there and is a text or a whole number', () => {
  check('account', { name: 'owner' }, ['model.organization_column column_missing']);
  check('account', { fits: ['float'] }, ['model.organization_column tenant_type']);
  check('account', { fits: ['decimal', 'string'] }, ['model.organization_column tenant_type']);
});

test('a value that does not fit refuses, a doubtful key or stamp warns', () => {
  const look = (changed: Partial<Sample>) => {
    const sample = { rows: 2, nulls: [], hasRepeatedKey: false, unfit: [], ...changed };
    const { errors, warnings } = checkSample(model, sample);
    const named = (all: typeof errors) => all.map(({ path, code }) => `${path} ${code}`);
    return { errors: named(errors), warnings: named(warnings) };
  };
  expect(look({})).toEqual({ errors: [], warnings: [] });
  expect(look({ unfit: ['id'] }).errors).toEqual(['model.columns[0].data_type value_unfit']);
  expect(look({ nulls: ['id', 'at'], hasRepeatedKey: true }).warnings).toEqual([
    'model.columns[0].name_in_source key_null',
    'model.columns[1].name_in_source last_modified_null',
    'model.columns key_repeated',
  ]);
});

test('a type that does not fit names both types and what would fit', () => {
  const columns = source.map((column) => ({ ...column, fits: ['decimal', 'string'] as const }));
  const [first] = checkAgainstSource(model, columns).errors;
  expect(first?.message).toBe(
    'Column id is int4 at the source, declared int; it may be declared decimal, string.',
  );
});
