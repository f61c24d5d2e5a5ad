import { expect, test } from 'vitest';
import { landedTableOf } from './landed-table.ts';
import { changeOf, effectAt, type ModelEffect } from './model-effect.ts';
import { ModelDefinition, sharedTableOf } from './model.ts';

const column = (name: string, data_type: string, more = {}) => ({
  name_in_source: name,
  name_in_destination: name,
  data_type,
  ...more,
});

const columns = [
  column('id', 'bigint', { is_primary_key: true }),
  column('net', 'decimal'),
  column('at', 'timestamp', { is_last_modified: true }),
];

const modelOf = (changes: object = {}) =>
  ModelDefinition.parse({
    model_name: 'orders',
    source_table: 'shop.order_rows',
    organization_column: 'account',
    columns,
    ...changes,
  });

const placed = (changes: object = {}, sourceId = 'source-1') => ({
  definition: modelOf(changes),
  sourceId,
});

test('a new model adds all of its columns', () => {
  expect(changeOf(undefined, placed())).toMatchObject({
    kind: 'create',
    addedColumns: ['id', 'net', 'at'],
    startsOver: false,
  });
});

test('what was not given and what is null are the same', () => {
  const change = changeOf(placed(), placed({ description: null, source_query: undefined }));
  expect(change).toMatchObject({ kind: 'none', fields: [] });
  const turned = columns.map((one) => Object.fromEntries(Object.entries(one).toReversed()));
  expect(changeOf(placed(), placed({ columns: turned }))).toMatchObject({ kind: 'none' });
});

test('a change names its fields and its columns', () => {
  const renamed = [columns[0], column('gross', 'decimal'), columns[2]];
  expect(changeOf(placed(), placed({ columns: renamed, description: 'Sent' }))).toEqual({
    kind: 'update',
    fields: ['columns', 'description'],
    addedColumns: ['gross'],
    removedColumns: ['net'],
    startsOver: false,
  });
});

test('another table, tenant column or source makes every copy a copy of something else', () => {
  const changes = [
    placed({ source_table: 'shop.old_rows' }),
    placed({ organization_column: 'owner' }),
    placed({}, 'source-2'),
  ];
  for (const after of changes) {
    expect(changeOf(placed(), after)).toMatchObject({ kind: 'update', startsOver: true });
  }
});

/** What happens where the model as it is now has landed. */
function check(changes: object, expected: Partial<ModelEffect>, startsOver = false) {
  const applied = landedTableOf(sharedTableOf(modelOf()));
  expect(effectAt(modelOf(changes), { applied, startsOver })).toMatchObject(expected);
}

test('where the model has never landed it is loaded', () => {
  const effect = effectAt(modelOf(), { applied: undefined, startsOver: false });
  expect(effect).toMatchObject({ action: 'first_load', adds: ['id', 'net', 'at'] });
});

test('where it has landed columns are added and left, and comments count as a change', () => {
  check({}, { action: 'none', adds: [], leaves: [] });
  check({ columns: columns.toReversed() }, { action: 'none' });
  check({ columns: [...columns, column('vat', 'decimal')] }, { action: 'change', adds: ['vat'] });
  check({ columns: [columns[0], columns[2]] }, { action: 'change', leaves: ['net'] });
  check({ description: 'Sent ones' }, { action: 'change', adds: [], leaves: [] });
});

test('a copy that has to start over, or lands under another name, is a first load', () => {
  check({ source_table: 'shop.old_rows' }, { action: 'first_load' }, true);
  check({ destination_table_name: 'sales' }, { action: 'first_load' });
});

test('a column that may widen does', () => {
  const withCount = (type: string) => ({ columns: [...columns, column('pieces', type)] });
  const applied = landedTableOf(sharedTableOf(modelOf(withCount('integer'))));
  const wider = modelOf({ ...withCount('bigint'), allow_widening: true });
  expect(effectAt(wider, { applied, startsOver: false })).toMatchObject({
    action: 'change',
    widens: ['pieces'],
  });
});

test('a table that would have to change what it has is refused, with the reason', () => {
  check(
    { columns: [columns[0], column('net', 'float'), columns[2]] },
    { action: 'refused', reason: expect.stringContaining('Column net of table orders') },
  );
});
