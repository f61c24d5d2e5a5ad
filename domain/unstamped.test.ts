import { describe, expect, test } from 'vitest';
import { ModelDefinition, sharedTableOf } from './model.ts';
import { countsUnstamped, judgeUnstamped } from './unstamped.ts';

function tableOf(wishes: Partial<ModelDefinition> = {}) {
  const columns = [
    { name_in_source: 'id', name_in_destination: 'id', data_type: 'bigint', is_primary_key: true },
    {
      name_in_source: 'at',
      name_in_destination: 'at',
      data_type: 'timestamp',
      is_last_modified: true,
    },
  ];
  const plain = {
    model_name: 'orders',
    source_table: 'shop.orders',
    organization_column: 'tenant',
  };
  return sharedTableOf(ModelDefinition.parse({ ...plain, columns, ...wishes }));
}

describe('rows without a last-modified value', () => {
  test.each([
    [0, undefined],
    [1, 'orders: 1 row of this recipient without a value in at left out.'],
    [10_000, 'orders: 10000 rows of this recipient without a value in at left out.'],
    [10_001, 'orders: more than 10000 rows of this recipient without a value in at left out.'],
  ])('%d are left out and counted in the log', (counted, line) => {
    expect(judgeUnstamped(tableOf(), counted)).toBe(line);
  });

  test('fail a model that refuses them, and only where there are some', () => {
    const table = tableOf({ null_last_modified: 'refuse' });
    expect(judgeUnstamped(table, 0)).toBeUndefined();
    expect(() => judgeUnstamped(table, 2)).toThrow(
      expect.objectContaining({ kind: 'source_mismatch', code: 'LMOD' }),
    );
  });

  test('are counted in tables, and in queries only where the model refuses them', () => {
    const source_query = 'select * from shop.orders';
    expect(countsUnstamped(tableOf())).toBe(true);
    expect(countsUnstamped(tableOf({ source_query }))).toBe(false);
    expect(countsUnstamped(tableOf({ source_query, null_last_modified: 'refuse' }))).toBe(true);
  });
});
