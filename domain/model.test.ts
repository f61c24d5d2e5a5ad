import { describe, expect, test } from 'vitest';
import { landedTableOf } from './landed-table.ts';
import { loadIdentityOf, type LoadSubject } from './load-identity.ts';
import { ModelDefinition, parseRelation, sharedTableOf } from './model.ts';

const orders = ModelDefinition.parse({
  model_name: 'orders',
  source_table: 'shop.orders',
  organization_column: 'account',
  description: 'One row per order',
  columns: [
    { name_in_source: 'total', name_in_destination: 'amount', data_type: 'decimal(10,2)' },
    { name_in_source: 'line', name_in_destination: 'line', data_type: 'int', is_primary_key: true },
    {
      name_in_source: 'changed',
      name_in_destination: 'changed_at',
      data_type: 'timestamp',
      is_last_modified: true,
    },
    {
      name_in_source: 'id',
      name_in_destination: 'order_id',
      data_type: 'uuid',
      is_primary_key: true,
    },
    {
      name_in_source: 'note',
      name_in_destination: 'note',
      data_type: 'text',
      description: 'Free text',
    },
  ],
});

describe('the table that a source_table names', () => {
  function check(text: string, schema: string | undefined, table: string) {
    expect(parseRelation(text)).toEqual({ schema, table });
  }

  test('has a schema or leaves it to the connection', () => {
    check('shop.orders', 'shop', 'orders');
    check('  orders ', undefined, 'orders');
  });

  test('may be quoted, with dots and quotes inside', () => {
    check('"my.shop"."or""ders"', 'my.shop', 'or"ders');
    check('shop."orders."', 'shop', 'orders.');
  });

  test.each(['', ' ', 'a.b.c', 'a.', '.a', 'a..b', '"a', '""', '"a"b', 'a"b'])(
    'is not "%s"',
    (text) => {
      expect(() => parseRelation(text)).toThrow(
        expect.objectContaining({ kind: 'source_mismatch', code: 'CONF' }),
      );
    },
  );
});

describe('the shared table of a model', () => {
  test('travels last-modified first, then the key, then the others, in model order', () => {
    const table = sharedTableOf(orders);
    expect(table.columns.map(({ nameInSource }) => nameInSource)).toEqual([
      'changed',
      'line',
      'id',
      'total',
      'note',
    ]);
    expect(table.key.map(({ nameInDestination }) => nameInDestination)).toEqual([
      'line',
      'order_id',
    ]);
    expect(table.lastModified.type).toBe('timestamp');
    expect(table).toMatchObject({
      destinationTable: 'orders',
      tenantColumn: 'account',
      minStartEpochSeconds: undefined,
    });
  });

  test('lands under the name that the model gives it', () => {
    expect(sharedTableOf({ ...orders, destination_table_name: 'sales' }).destinationTable).toBe(
      'sales',
    );
  });

  test.each([
    ['a key', { columns: orders.columns.map((column) => ({ ...column, is_primary_key: false })) }],
    [
      'a last-modified column',
      { columns: orders.columns.map((column) => ({ ...column, is_last_modified: false })) },
    ],
    [
      'one last-modified column',
      { columns: orders.columns.map((column) => ({ ...column, is_last_modified: true })) },
    ],
    ['a tenant column', { organization_column: null }],
  ])('needs %s', (_, changed) => {
    expect(() => sharedTableOf({ ...orders, ...changed })).toThrow(
      expect.objectContaining({ code: 'CONF' }),
    );
  });

  test('has no columns of unknown type', () => {
    const columns = orders.columns.map((column) => ({ ...column, data_type: 'blob' }));
    expect(() => sharedTableOf({ ...orders, columns })).toThrow(
      expect.objectContaining({ kind: 'type_unsupported' }),
    );
  });
});

test('the landed table has the key first and the others as in the model', () => {
  expect(landedTableOf(sharedTableOf(orders))).toEqual({
    name: 'orders',
    description: 'One row per order',
    columns: [
      { name: 'line', type: 'integer', description: undefined },
      { name: 'order_id', type: 'string', description: undefined },
      { name: 'amount', type: 'decimal', description: undefined },
      { name: 'changed_at', type: 'timestamp', description: undefined },
      { name: 'note', type: 'string', description: 'Free text' },
    ],
    key: ['line', 'order_id'],
  });
});

describe('the load identity', () => {
  const subject: LoadSubject = {
    sourceId: 'source-1',
    tenantId: 'acme',
    table: sharedTableOf(orders),
  };
  const withModel = (changed: Partial<ModelDefinition>): LoadSubject => ({
    ...subject,
    table: sharedTableOf({ ...orders, ...changed }),
  });
  const withColumn = (index: number, changed: object) =>
    withModel({
      columns: orders.columns.map((column, at) =>
        at === index ? { ...column, ...changed } : column,
      ),
    });

  function check(changed: LoadSubject, isSame: boolean) {
    expect(loadIdentityOf(changed) === loadIdentityOf(subject)).toBe(isSame);
  }

  test('changes with whatever makes the rows other rows', () => {
    check({ ...subject, sourceId: 'source-2' }, false);
    check({ ...subject, tenantId: 'globex' }, false);
    check(withModel({ source_table: 'archive.orders' }), false);
    check(withModel({ source_table: 'orders' }), false);
    check(withModel({ organization_column: 'owner' }), false);
    check(withColumn(1, { name_in_destination: 'position' }), false);
    check(withColumn(1, { is_primary_key: false }), false);
    check(withColumn(2, { name_in_source: 'touched' }), false);
  });

  test('stays while only words and other columns change', () => {
    check(withModel({ description: 'Orders', source_table: '"shop".orders' }), true);
    check(withModel({ columns: orders.columns.slice(0, 4) }), true);
    check(withColumn(4, { name_in_destination: 'remark' }), true);
  });

  test('does not mix up neighbouring parts', () => {
    const quoted = withModel({ source_table: '"shop.orders"' });
    expect(loadIdentityOf(quoted)).not.toBe(loadIdentityOf(subject));
  });
});
