import { describe, expect, test } from 'vitest';
import { logicalTypes } from './data-type.ts';
import { noHistory, type ModelHistory } from './model-history.ts';
import { checkModel, resolveSource, type ModelContext } from './model-rules.ts';
import { ModelDefinition, type ModelColumn } from './model.ts';
import { reservedPrefixes, reservedWords } from './reserved-words.ts';

const main = { id: 'source-1', name: 'Main' };
const archive = { id: 'source-2', name: 'Archive' };

const context: ModelContext = {
  environment: 'prod',
  sources: [main],
  otherTables: [{ table: 'Customers', model: 'customers' }],
  history: noHistory,
  multiTenant: true,
};

const good = ModelDefinition.parse({
  model_name: 'orders',
  source_table: 'shop.order_rows',
  organization_column: 'account',
  columns: [
    { name_in_source: 'id', name_in_destination: 'id', data_type: 'uuid', is_primary_key: true },
    {
      name_in_source: 'changed',
      name_in_destination: 'changed_at',
      data_type: 'timestamptz',
      is_last_modified: true,
    },
    { name_in_source: 'total', name_in_destination: 'amount', data_type: 'decimal(10,2)' },
  ],
});

/** The model with one column changed. */
function column(index: number, changed: Partial<ModelColumn>): ModelDefinition {
  const columns = good.columns.map((old, at) => (at === index ? { ...old, ...changed } : old));
  return { ...good, columns };
}

const named = (name: string) => column(2, { name_in_destination: name });

/** What is found, each as `path code`. Every finding says in a sentence what would be right. */
function check(model: ModelDefinition, expected: string[], changed: Partial<ModelContext> = {}) {
  const { violations } = checkModel(model, { ...context, ...changed });
  expect(violations.map(({ path, code }) => `${path} ${code}`)).toEqual(expected);
  for (const { message } of violations) expect(message).toMatch(/\.$/);
}

test('a good model passes', () => {
  check(good, []);
  check(
    { ...good, destination_table_name: 'sales', source_name: 'Main', description: 'Orders' },
    [],
  );
});

test('M1: a model has columns and a table', () => {
  check({ ...good, columns: [] }, [
    'model.columns M1_no_columns',
    'model.columns M3_no_key',
    'model.columns M4_last_modified',
  ]);
  for (const table of [' ', 'a.b.c', 'shop.']) {
    check({ ...good, source_table: table }, ['model.source_table M1_source_table']);
  }
});

test('M2: a column has both names and a type', () => {
  check(column(2, { name_in_source: ' ', data_type: '' }), [
    'model.columns[2].name_in_source M2_missing',
    'model.columns[2].data_type M2_missing',
  ]);
});

test('M3: one column or more make the key', () => {
  check(column(0, { is_primary_key: false }), ['model.columns M3_no_key']);
  check(column(2, { is_primary_key: true }), []);
});

test('M4: exactly one timestamp outside the key says when a row changed', () => {
  check(column(1, { is_last_modified: false }), ['model.columns M4_last_modified']);
  check(column(2, { is_last_modified: true, data_type: 'timestamp' }), [
    'model.columns M4_last_modified',
  ]);
  check(column(1, { data_type: 'date' }), ['model.columns[1].data_type M4_last_modified_type']);
  check(column(1, { is_primary_key: true }), [
    'model.columns[1].is_primary_key M4_last_modified_key',
  ]);
});

test('M5: key and last-modified column stand among the first 32', () => {
  const filler = (index: number): ModelColumn => ({
    name_in_source: `f${index}`,
    name_in_destination: `f${index}`,
    data_type: 'string',
    is_primary_key: false,
    is_last_modified: false,
  });
  const fillers = Array.from({ length: 31 }, (_, index) => filler(index));
  const [id, changed] = good.columns;
  check({ ...good, columns: [id!, ...fillers.slice(1), changed!] }, []);
  check({ ...good, columns: [id!, ...fillers, changed!] }, ['model.columns[32] M5_position']);
});

test('M6: the type of a column is known', () => {
  check(column(2, { data_type: 'money' }), ['model.columns[2].data_type M6_unknown_data_type']);
  check(column(1, { data_type: 'when' }), ['model.columns[1].data_type M6_unknown_data_type']);
});

test('M7: where tenants share tables, a column says whose row it is', () => {
  const model = { ...good, organization_column: ' ' };
  check(model, ['model.organization_column M7_no_tenant_column']);
  check(model, [], { multiTenant: false });
});

test('M8: reserved words are no column names', () => {
  expect(reservedWords.size).toBe(334);
  for (const word of ['order', 'ORDER', 'Organization', 'zerofill']) {
    check(named(word), ['model.columns[2].name_in_destination M8_reserved_word']);
  }
  check(named('order_'), []);
  check(column(2, { name_in_source: 'order' }), []);
});

test('M9: column names do not begin with a reserved prefix', () => {
  expect(reservedPrefixes).toHaveLength(10);
  for (const name of ['_table_x', '_FILE_', '__root__a']) {
    check(named(name), ['model.columns[2].name_in_destination M9_reserved_prefix']);
  }
  check(named('a_table_'), []);
});

test('M10: no column is named like a table', () => {
  for (const name of ['ORDERS', 'order_rows']) {
    check(named(name), ['model.columns[2].name_in_destination M10_named_like_table']);
    check(column(2, { name_in_source: name }), [
      'model.columns[2].name_in_source M10_named_like_table',
    ]);
  }
  check(column(2, { name_in_source: 'shop.order_rows' }), [
    'model.columns[2].name_in_source M10_named_like_table',
  ]);
});

test('M11: no two columns land under one name', () => {
  check(named('ID'), ['model.columns[2].name_in_destination M11_repeated']);
  check(column(2, { name_in_source: 'id' }), []);
});

test('M12: names at a destination are plain, and ours are not taken', () => {
  for (const name of ['1st', 'a-b', 'a b', 'größe', 'a'.repeat(64)]) {
    check(named(name), ['model.columns[2].name_in_destination M12_name']);
    check({ ...good, model_name: name }, ['model.model_name M12_name']);
    check({ ...good, model_name: name, destination_table_name: 'sales' }, []);
  }
  check(named('a'.repeat(63)), []);
  for (const name of ['_transfer_status', '_Manifests', '_waybill_x']) {
    const model = { ...good, destination_table_name: name };
    check(model, ['model.destination_table_name M12_reserved_table']);
  }
});

test('M13: no two models land in one table', () => {
  check({ ...good, destination_table_name: 'CUSTOMERS' }, [
    'model.destination_table_name M13_table_taken',
  ]);
});

describe('M14: the source of a model', () => {
  function checkSource(
    model: Partial<ModelDefinition>,
    sources: ModelContext['sources'],
    expected: string,
  ) {
    const found = resolveSource({ ...good, ...model }, sources);
    expect('source' in found ? found.source.id : found.violation.code).toBe(expected);
    check({ ...good, ...model }, 'source' in found ? [] : [`${found.violation.path} ${expected}`], {
      sources,
    });
  }

  test('need not be named where there is one', () => {
    checkSource({}, [main], 'source-1');
    checkSource({}, [], 'M14_no_source');
    checkSource({}, [main, archive], 'M14_source_not_named');
  });

  test('is named by its name, its id, or both alike', () => {
    checkSource({ source_name: 'Archive' }, [main, archive], 'source-2');
    checkSource({ source_id: 'source-2' }, [main, archive], 'source-2');
    checkSource({ source_name: 'Archive', source_id: 'source-2' }, [main, archive], 'source-2');
    checkSource({ source_name: 'Main', source_id: 'source-2' }, [main, archive], 'M14_two_sources');
  });

  test('exists, even where there is only one', () => {
    checkSource({ source_name: 'main' }, [main], 'M14_unknown_source');
    checkSource({ source_id: 'source-2' }, [main], 'M14_unknown_source');
    checkSource({ source_name: 'Main', source_id: 'source-9' }, [main], 'M14_unknown_source');
  });
});

test('M15: a source query parses, knows its placeholders and is one SELECT', () => {
  const wrong = ['model.source_query M15_source_query'];
  check({ ...good, source_query: 'select 1 {{with .LastModifiedAtEpoch}}{{.}}{{end}}' }, []);
  check({ ...good, source_query: 'select {{.Nobody}}' }, wrong);
  check({ ...good, source_query: 'select 1; select 2' }, wrong);
  check({ ...good, source_query: 'delete from invoice' }, wrong);
});

test('M16: windows and times make sense', () => {
  const path = 'model.max_transfer_time_window_seconds M16_window';
  check({ ...good, max_transfer_time_window_seconds: 0 }, [path]);
  for (const start of [-1, 253_402_300_800]) {
    check({ ...good, min_start_time_epoch: start }, ['model.min_start_time_epoch M16_start']);
  }
  check({ ...good, model_validation_start_time_epoch: '1700000000' }, [
    'model.model_validation_start_time_epoch M16_time',
  ]);
  const times = {
    model_validation_start_time_epoch: '2026-01-02T00:00:00Z',
    model_validation_end_time_epoch: '2026-01-02T00:30:00+01:00',
  };
  check({ ...good, ...times }, ['model.model_validation_end_time_epoch M16_order']);
  check({ ...good, ...times, model_validation_end_time_epoch: '2026-01-03T00:00:00Z' }, []);
});

describe('changes', () => {
  const history: ModelHistory = {
    previous: good,
    previousSourceId: 'source-1',
    droppedColumns: ['discount'],
    droppedTables: ['sales'],
    wasTransferred: true,
  };
  function checkChange(
    model: ModelDefinition,
    expected: string[],
    changed: Partial<ModelHistory> = {},
  ) {
    const changedHistory = { ...history, ...changed };
    check(model, expected, { history: changedHistory });
    const staging = checkModel(model, {
      ...context,
      environment: 'staging',
      history: changedHistory,
    });
    expect(staging.violations).toEqual([]);
    expect(staging.warnings.map(({ path, code }) => `${path} ${code}`)).toEqual(expected);
  }

  test('M23: the type of a column stays, whatever word is used for it', () => {
    checkChange(column(2, { data_type: 'float' }), ['model.columns[2].data_type M23_type_changed']);
    checkChange(column(2, { data_type: 'numeric' }), []);
  });

  test('M23: with allow_widening an integer becomes a bigint, and nothing else changes', () => {
    const typed = (word: string) => column(2, { data_type: word });
    for (const from of logicalTypes) {
      for (const to of logicalTypes) {
        const model = { ...typed(to), allow_widening: true };
        const isAllowed = from === to || (from === 'integer' && to === 'bigint');
        const expected = isAllowed ? [] : ['model.columns[2].data_type M23_type_changed'];
        checkChange(model, expected, { previous: typed(from) });
      }
    }
    checkChange(typed('bigint'), ['model.columns[2].data_type M23_type_changed'], {
      previous: typed('integer'),
    });
  });

  test('M23: words of one type are no change: real and double, decimals of any precision', () => {
    const typed = (word: string) => column(2, { data_type: word });
    checkChange(typed('double'), [], { previous: typed('real') });
    checkChange(typed('decimal(38, 9)'), [], { previous: typed('decimal(10, 2)') });
    checkChange(typed('integer'), [], { previous: typed('smallint') });
  });

  test('M24: a dropped name is never used again', () => {
    checkChange(named('Discount'), ['model.columns[2].name_in_destination M24_dropped_column']);
    const renamed = { ...good, destination_table_name: 'Sales' };
    const expected = ['model.destination_table_name M24_dropped_table'];
    checkChange(renamed, expected);
    checkChange(renamed, expected, { previous: undefined });
    checkChange(renamed, [], { previous: renamed });
  });

  test('M25: key, last-modified column and source stay once rows were transferred', () => {
    const wider = column(2, { is_primary_key: true });
    checkChange(wider, ['model.columns M25_key_changed']);
    checkChange(wider, [], { wasTransferred: false });
    checkChange(column(1, { name_in_source: 'touched' }), [
      'model.columns M25_last_modified_changed',
    ]);
    checkChange(good, ['model.source_name M25_source_changed'], { previousSourceId: 'source-2' });
  });

  test('columns may be added, removed and put in another order', () => {
    checkChange({ ...good, columns: good.columns.toReversed() }, []);
    checkChange({ ...good, columns: good.columns.slice(0, 2) }, []);
    checkChange(named('discount_2'), []);
  });
});

test('everything that is wrong is told at once', () => {
  const model = {
    ...column(2, { name_in_destination: 'order', data_type: 'money' }),
    organization_column: null,
  };
  check(model, [
    'model.columns[2].data_type M6_unknown_data_type',
    'model.columns[2].name_in_destination M8_reserved_word',
    'model.organization_column M7_no_tenant_column',
  ]);
});
