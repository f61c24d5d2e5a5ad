import { expect, test } from 'vitest';
import type { LogicalType } from './data-type.ts';
import { noHistory } from './model-history.ts';
import { checkModel } from './model-rules.ts';
import { ModelDefinition } from './model.ts';
import { proposeModel } from './propose-model.ts';
import type { DescribedColumn } from './source-rules.ts';

function column(name: string, type: LogicalType, more: Partial<DescribedColumn> = {}) {
  return { name, type: `a ${type}`, fits: [type, 'string' as const], nullable: false, ...more };
}

const table = (columns: readonly DescribedColumn[], name = 'invoice') =>
  proposeModel({ sourceName: 'billing', sourceTable: `public.${name}`, table: name, columns });

const invoice = [
  column('account_id', 'integer'),
  column('created_at', 'timestamp'),
  column('net', 'decimal', { comment: 'Before tax' }),
  column('updated_at', 'timestamp', { nullable: true }),
  column('line', 'integer', { keyPlace: 2 }),
  column('id', 'bigint', { keyPlace: 1 }),
];

/** What the rules say of a proposal that is published as it is. */
function broken(columns: readonly DescribedColumn[], name?: string): string[] {
  const { violations } = checkModel(ModelDefinition.parse(table(columns, name).model), {
    environment: 'prod',
    sources: [{ id: 'source', name: 'billing' }],
    otherTables: [],
    history: noHistory,
    multiTenant: true,
  });
  return violations.map(({ code }) => code);
}

test('key, last-modified and tenant column are found, and the first two lead', () => {
  const { model, notes } = table(invoice);
  expect(model).toEqual({
    model_name: 'invoice',
    source_name: 'billing',
    source_table: 'public.invoice',
    organization_column: 'account_id',
    columns: [
      {
        name_in_source: 'id',
        name_in_destination: 'id',
        data_type: 'bigint',
        is_primary_key: true,
      },
      {
        ...{ name_in_source: 'line', name_in_destination: 'line' },
        ...{ data_type: 'integer', is_primary_key: true },
      },
      {
        ...{ name_in_source: 'updated_at', name_in_destination: 'updated_at' },
        ...{ data_type: 'timestamp', is_last_modified: true },
      },
      { name_in_source: 'created_at', name_in_destination: 'created_at', data_type: 'timestamp' },
      {
        ...{ name_in_source: 'net', name_in_destination: 'net' },
        ...{ data_type: 'decimal', description: 'Before tax' },
      },
    ],
  });
  expect(broken(invoice)).toEqual([]);
  const about = (path: string) => notes.find((note) => note.path === path)?.message;
  expect(about('model.organization_column')).toContain(
    'account_id (a integer) says whose row it is',
  );
  expect(about('model.columns[2]')).toBe(
    'a timestamp; check that it is set whenever a row changes; may be null at the source: such rows cannot be moved',
  );
});

test('what cannot be guessed is left open and said', () => {
  const { model, notes } = table([column('note', 'string')]);
  expect(model.organization_column).toBeUndefined();
  expect(notes.map(({ code }) => code)).toEqual([
    'no_key',
    'no_tenant',
    'no_last_modified',
    'check',
  ]);
  expect(broken([column('note', 'string')])).toEqual([
    'M3_no_key',
    'M4_last_modified',
    'M7_no_tenant_column',
  ]);
});

test('names that no destination takes become names that all take', () => {
  const odd = ['order', 'Net Amount', '1st', '_table_x', 'net_amount', 'invoice', 'größe', '发票'];
  const columns = [...invoice, ...odd.map((name) => column(name, 'string'))];
  expect(broken(columns)).toEqual([]);
  const landed = table(columns).model.columns.map((one) => one.name_in_destination);
  expect(landed.slice(5)).toEqual([
    ...['order_value', 'Net_Amount', 'c_1st', 'c_table_x', 'net_amount_2', 'gr_e', '_'],
  ]);
  expect(broken(invoice, '_transfer_status')).toEqual([]);
  expect(broken(invoice, 'Große Tabelle')).toEqual([]);
});

test('the usual names of tenants and stamps are known, and a stamp of creation is doubted', () => {
  for (const name of [
    'tenant_id',
    'organisation',
    'OrgId',
    'workspace_uuid',
    'billing_account_no',
  ]) {
    expect(table([column(name, 'string')]).model.organization_column).toBe(name);
  }
  expect(table([column('tenant', 'float')]).model.organization_column).toBeUndefined();
  for (const name of ['modified', 'LastUpdated', 'changed_on', 'row_updated_ts']) {
    const stamps = [column('created', 'timestamp'), column(name, 'timestamp')];
    expect(table(stamps).model.columns[0]).toMatchObject({ name_in_source: name });
  }
  const { notes } = table([column('created_at', 'timestamp')]);
  expect(notes.at(-1)?.message).toContain('or set is_append_only');
});
