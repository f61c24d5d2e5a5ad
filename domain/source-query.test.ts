import { describe, expect, test } from 'vitest';
import { ModelDefinition, sharedTableOf } from './model.ts';
import {
  alwaysNamesTenant,
  renderQuery,
  tableForRead,
  templateError,
  type QueryValues,
} from './source-query.ts';
import { parseTemplate } from './template.ts';

const values: QueryValues = {
  LastModifiedAtEpoch: 7,
  LastModifiedAtEpochUpperBound: undefined,
  IdInProviderSystem: String.raw`o'\b`,
  Schema: 'te"nant',
  PrimaryKeyColumnName: 'id',
  LastModifiedColumnName: 'changed_at',
  OrganizationColumnName: 'account',
};

const render = (source: string, more: Partial<QueryValues> = {}) =>
  renderQuery(parseTemplate(source), { ...values, ...more });

describe('a value is written by where it stands', () => {
  test.each([
    ['select {{.IdInProviderSystem}}', String.raw`select  E'o''\\b' `],
    ["select '{{.IdInProviderSystem}}'", String.raw`select 'o''\b'`],
    ["select 'a''{{.IdInProviderSystem}}'", String.raw`select 'a''o''\b'`],
    ["select E'{{.IdInProviderSystem}}'", String.raw`select E'o''\\b'`],
    ["select note'{{.IdInProviderSystem}}'", String.raw`select note'o''\b'`],
    ['select 1 as "{{.IdInProviderSystem}}"', String.raw`select 1 as "o'\b"`],
    ['select 1 from {{.Schema}}.t', 'select 1 from  "te""nant" .t'],
    ["select '{{.Schema}}'", `select 'te"nant'`],
    ['select -{{.LastModifiedAtEpoch}}', 'select - 7 '],
    ["select '{{.LastModifiedAtEpoch}}'", "select '7'"],
    ['select 1 -- {{.IdInProviderSystem}}\n', 'select 1 -- \n'],
    ['select 1 /* /* */ {{.IdInProviderSystem}} */', 'select 1 /* /* */  */'],
    ['select i.{{.LastModifiedColumnName}}', 'select i. "changed_at" '],
    ['(select 1);', '(select 1)'],
    ['with a as (select 1) select * from a', 'with a as (select 1) select * from a'],
    ["select $x$ it's; $x$", "select $x$ it's; $x$"],
  ])('%j', (source, sql) => {
    expect(render(source).sql).toBe(sql);
  });

  test('a negative epoch cannot begin a comment', () => {
    expect(render('select 1 -{{.LastModifiedAtEpoch}}', { LastModifiedAtEpoch: -5 }).sql).toBe(
      'select 1 - (-5) ',
    );
  });
});

describe('what cannot be made safe is refused', () => {
  test.each([
    ['select $x${{.IdInProviderSystem}}$x$', 'cannot be made safe here'],
    ["select U&'{{.IdInProviderSystem}}'", 'cannot be made safe here'],
    [
      String.raw`select E'\{{.IdInProviderSystem}}'`,
      'Line 1, column 11: a placeholder cannot be made',
    ],
    [String.raw`select E'\x{{.IdInProviderSystem}}'`, 'cannot be made safe here'],
    ["select 'a\n{{.IdInProviderSystem}}", 'a quote of the query is not closed'],
    ["select E'a'\n'{{.IdInProviderSystem}}'", 'a literal goes on after a line break'],
    ["select {{.IdInProviderSystem}} -- x\n 'b'", 'a literal goes on after a line break'],
    ['select 1; select 2', 'one statement'],
    ['select 1) q, other.rows (', 'a parenthesis is closed that was not opened'],
    ['select (1', 'a parenthesis of the query is not closed'],
    ['select 1 /* ', 'a comment of the query is not closed'],
    ['delete from t', 'one SELECT'],
    ['', 'one SELECT'],
    ['select {{.LastModifiedAtEpochUpperBound}}', 'put it into {{with …}}'],
  ])('%j', (source, message) => {
    expect(() => render(source)).toThrow(message);
  });

  test('a quoted name that the server would cut into another one', () => {
    const long = { IdInProviderSystem: 'é'.repeat(32) };
    expect(() => render('select * from "{{.IdInProviderSystem}}"', long)).toThrow('63 bytes');
  });
});

test('every form of a template is looked at, not only the one of the next run', () => {
  expect(
    templateError('select 1 {{with .LastModifiedAtEpochUpperBound}};select 2{{end}}'),
  ).toContain('one statement');
  expect(templateError('select 1 {{if .LastModifiedAtEpoch}}){{end}}')).toContain('parenthesis');
  expect(templateError("select '{{.IdInProviderSystem}}'")).toBeUndefined();
});

test('a tenant in a comment, or in some forms alone, is no filter', () => {
  expect(alwaysNamesTenant("select 1 where a = '{{.IdInProviderSystem}}'")).toBe(true);
  expect(alwaysNamesTenant('select 1 -- {{.IdInProviderSystem}}')).toBe(false);
  expect(
    alwaysNamesTenant(
      'select 1 {{with .LastModifiedAtEpoch}}where a = {{$}}{{end}}'.replace(
        '{{$}}',
        '{{.IdInProviderSystem}}',
      ),
    ),
  ).toBe(false);
});

describe('the bounds of one statement', () => {
  const table = sharedTableOf(
    ModelDefinition.parse({
      model_name: 'm',
      source_table: 't',
      organization_column: 'account',
      source_query:
        'select {{.LastModifiedAtEpoch}} {{with .LastModifiedAtEpochUpperBound}}upto {{.}}{{end}}',
      columns: [
        { name_in_source: 'id', name_in_destination: 'id', data_type: 'int', is_primary_key: true },
        {
          name_in_source: 'at',
          name_in_destination: 'at',
          data_type: 'timestamp',
          is_last_modified: true,
        },
      ],
    }),
  );
  const sqlFor = (after?: string, upTo?: string, watermark?: string) =>
    tableForRead(table, {
      tenantId: 'a',
      window: { after, upTo },
      watermark,
    }).relation.query?.sql.replace(/\s+/g, ' ');

  test('a first load begins at 0, an increment at the watermark without the lookback', () => {
    expect(sqlFor()).toBe('select 0 ');
    expect(sqlFor('1970-01-01 00:01:10.9+00', undefined, '1970-01-01 00:01:40.9+00')).toBe(
      'select 100 ',
    );
  });

  test('a start bound above the watermark stands', () => {
    expect(sqlFor('1970-01-01 00:03:20+00', undefined, '1970-01-01 00:01:40+00')).toBe(
      'select 200 ',
    );
  });

  test('a window goes in with its edges rounded outwards', () => {
    expect(sqlFor('1970-01-01 00:00:10.5+00', '1970-01-01 00:00:20.5+00')).toBe(
      'select 10 upto 21 ',
    );
    expect(sqlFor('1970-01-01 00:00:10+00', '1970-01-01 00:00:20+00')).toBe('select 10 upto 20 ');
  });
});
