import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSystem, type System } from '../harness/system.ts';
import { connectionBlock, createVendor, type Vendor } from '../harness/vendor.ts';

// Models held against a real source by a worker: what is found, and what never leaves the source.

let system: System;
let vendor: Vendor;

beforeAll(async () => {
  system = await createSystem();
  vendor = await createVendor(system);
  await vendor.sql.query(/*sql*/ `
    create table lines (tenant text, id int, changed_at timestamptz, pieces numeric(9, 0), body json);
    create index on lines (tenant, changed_at, id)`);
});

afterAll(async () => {
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

const canary = 'canary-7f3a';

const column = (name: string, data_type: string, more: object = {}) => ({
  name_in_source: name,
  name_in_destination: name,
  data_type,
  ...more,
});

const modelOf = (changes: object = {}) => ({
  model_name: 'line_items',
  source_name: vendor.sourceName,
  source_table: 'public.lines',
  organization_column: 'tenant',
  columns: [
    column('id', 'integer', { is_primary_key: true }),
    column('changed_at', 'timestamp', { is_last_modified: true }),
    column('pieces', 'integer'),
    column('body', 'json'),
  ],
  ...changes,
});

interface Check {
  readonly errors: { readonly path: string; readonly code: string; readonly message: string }[];
  readonly warnings: { readonly path: string; readonly code: string }[];
  readonly sampled_rows: number;
}

/** What is found with these rows in the table. */
async function validate(rows: readonly string[], changes: object = {}): Promise<Check> {
  await vendor.sql.query('truncate lines');
  for (const row of rows) await vendor.sql.query(`insert into lines values (${row})`);
  return await system.api<Check>('POST', '/actions/validate-config', { model: modelOf(changes) });
}

const codes = (found: Check['warnings']) => found.map(({ path, code }) => `${path} ${code}`);

test('rows that fit are counted, and a catalogue that allows nulls is a doubt', async () => {
  const check = await validate([`'${canary}', 1, now(), 5, '{}'`]);
  expect(check).toMatchObject({ errors: [], sampled_rows: 1 });
  expect(codes(check.warnings)).toEqual([
    'model.columns[0].name_in_source nullable',
    'model.columns[1].name_in_source nullable',
  ]);
});

test('values that do not fit refuse, and doubts of the key do not, without any value', async () => {
  const rows = [
    `'${canary}', 1, now(), 'NaN', '"${canary}"'`,
    `'${canary}', 1, null, 5, '"${canary}${String.raw`\u0000`}"'`,
  ];
  const check = await validate(rows);
  expect(codes(check.errors)).toEqual([
    'model.columns[2].data_type value_unfit',
    'model.columns[3].data_type value_unfit',
  ]);
  expect(codes(check.warnings)).toEqual(
    expect.arrayContaining([
      'model.columns[1].name_in_source last_modified_null',
      'model.columns key_repeated',
    ]),
  );
  const everything = [...system.answered, ...system.logged].join('\n');
  expect(everything).toContain('value_unfit');
  expect(everything).not.toContain(canary);
});

test('the validation is aimed at one tenant', async () => {
  const rows = [`'acme', 1, now(), 5, '{}'`, `'globex', 2, now(), 'NaN', '{}'`];
  const aimed = (tenant: string) =>
    validate(rows, { model_validation_id_in_provider_system: tenant });
  expect(await aimed('acme')).toMatchObject({ errors: [], sampled_rows: 1 });
  expect(await aimed('globex')).toMatchObject({ errors: [{ code: 'value_unfit' }] });
  expect(await aimed('nobody')).toMatchObject({ errors: [], sampled_rows: 0 });
});

test('a login that may not read is told the grant, and one that may read only the columns is enough', async () => {
  const login = `reader_${randomUUID().slice(0, 8)}`;
  await vendor.sql.query(`create role ${login} login password 'secret'`);
  const block = connectionBlock(vendor.database, 'public');
  const source = {
    name: login,
    vendor: 'postgres',
    postgres: { ...block, password_auth: { username: login, password: 'secret' } },
  };
  await system.api('POST', '/sources', { source });
  const rows = [`'acme', 1, now(), 5, '{}'`];
  const denied = await validate(rows, { source_name: login });
  expect(denied.errors).toMatchObject([{ path: 'model.source_table', code: 'perm' }]);
  expect(denied.errors[0]?.message).toContain('grant select');
  await vendor.sql.query(`alter table lines add hidden text;
    grant select (tenant, id, changed_at, pieces, body) on lines to ${login}`);
  expect(await validate(rows, { source_name: login })).toMatchObject({
    errors: [],
    sampled_rows: 1,
  });
  await vendor.sql.query(`drop owned by ${login}; drop role ${login}`);
});

test('a query that fails on a row is an error of the query', async () => {
  const source_query = 'select l.*, 1 / (l.id - 1) as odd from lines l where 1 / (l.id - 1) > 0';
  const check = await validate([`'acme', 1, now(), 5, '{}'`], { source_query });
  expect(check.errors).toMatchObject([{ path: 'model.source_query', code: 'qryx' }]);
});
