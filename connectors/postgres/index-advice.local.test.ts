import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Ends, modelOf } from '../../test/harness/postgres-ends.ts';

const columns = [
  ['at', 'timestamp', 'last_modified'],
  ['Id', 'integer', 'key'],
  ['line', 'integer', 'key'],
] as const;

describe.each([12, 15, 18] as const)('what would make a model quicker on Postgres %i', (major) => {
  let ends: Ends;

  beforeAll(async () => {
    ends = await Ends.create({ major });
    await ends.source.query('create schema "the shop"');
  });
  afterAll(() => ends[Symbol.asyncDispose]());

  /** What is advised on a table that was made by these statements. */
  async function adviseOn(statements: readonly string[], table = modelAt('"the shop".items')) {
    await ends.source.query('drop table if exists "the shop".items cascade');
    for (const statement of [create, ...statements]) await ends.source.query(statement);
    await using source = ends.openSource();
    return await source.advise(table);
  }

  const create = `create table "the shop".items
    (pad text, tenant text, at timestamptz, "Id" int not null, line int not null)`;
  const modelAt = (source_table: string) => modelOf(columns, { source_table });

  test('an index that is missing comes with its statement, and the statement is all it takes', async () => {
    const fix = 'create index on "the shop"."items" ("tenant", "at", "Id", "line")';
    const message =
      'the shop.items has no index on (tenant, at, Id, line): ' +
      `each read sorts all that remains of the tenant. Run: ${fix};`;
    expect(await adviseOn([])).toEqual([{ name: 'index', status: 'warning', message, fix }]);
    expect(await adviseOn([fix])).toEqual([]);
  });

  const on = 'create index on "the shop".items';
  const whole = '(tenant, at, "Id", line)';

  test.each([
    ['is that and no more', [`${on} ${whole}`]],
    ['is unique', [`create unique index on "the shop".items ${whole}`]],
    ['goes on with other columns', [`${on} (tenant, at, "Id", line, pad)`]],
    ['carries other columns', [`${on} ${whole} include (pad)`]],
    ['is read backwards', [`${on} (tenant, at desc, "Id" desc, line desc)`]],
    ['stands beside another', [`${on} (tenant)`, `${on} ${whole}`]],
    [
      'was made after a column had gone',
      [`alter table "the shop".items drop column pad`, `${on} ${whole}`],
    ],
  ])('nothing where an index %s', async (_, statements) => {
    expect(await adviseOn(statements)).toEqual([]);
  });

  test.each([
    ['is of some rows only', [`${on} ${whole} where line > 0`]],
    ['has the columns in another order', [`${on} (at, tenant, "Id", line)`]],
    ['has the key in another order', [`${on} (tenant, at, line, "Id")`]],
    ['lacks the key', [`${on} (tenant, at)`]],
    ['only carries the key', [`${on} (tenant, at) include ("Id", line)`]],
    ['turns round within its order', [`${on} (tenant, at desc, "Id", line)`]],
    ['puts nulls elsewhere', [`${on} (tenant, at nulls first, "Id" nulls first, line)`]],
    ['is of an expression', [`${on} (lower(tenant), at, "Id", line)`]],
    ['compares as patterns do', [`${on} (tenant text_pattern_ops, at, "Id", line)`]],
    ['has a collation of its own', [`${on} (tenant collate "POSIX", at, "Id", line)`]],
    ['is of another kind', [`${on} using brin ${whole}`]],
    [
      'was left invalid',
      [
        `${on} ${whole}`,
        `update pg_index set indisvalid = false where indrelid = '"the shop".items'::regclass`,
      ],
    ],
  ])('the index where the one there is %s', async (_, statements) => {
    expect(await adviseOn(statements)).toHaveLength(1);
  });

  test('a column that orders nothing more is left out', async () => {
    const byTenant = [['tenant', 'string', 'key'], ...columns] as const;
    const table = modelOf(byTenant, { source_table: '"the shop".items' });
    expect(await adviseOn([], table)).toMatchObject([{ fix: expect.stringMatching(/line"\)$/) }]);
    expect(await adviseOn([`${on} ${whole}`], table)).toEqual([]);
  });

  test('on a partitioned table the index of the whole counts', async () => {
    for (const statement of [
      `create table parts (like "the shop".items) partition by range (at)`,
      `create table part partition of parts default`,
      `create index on only parts ${whole}`,
    ]) {
      await ends.source.query(statement);
    }
    await using source = ends.openSource();
    const fix = 'create index on "public"."parts" ("tenant", "at", "Id", "line")';
    expect(await source.advise(modelAt('parts'))).toMatchObject([{ fix }]);
    await ends.source.query(fix);
    expect(await source.advise(modelAt('parts'))).toEqual([]);
  });

  test('a view is not advised on, a materialised one is', async () => {
    await adviseOn([]);
    await ends.source.query(`create view seen as select * from "the shop".items`);
    await ends.source.query(`create materialized view kept as select * from "the shop".items`);
    await using source = ends.openSource();
    expect(await source.advise(modelAt('seen'))).toEqual([]);
    expect(await source.advise(modelAt('kept'))).toHaveLength(1);
    await ends.source.query(`create index on kept ${whole}`);
    expect(await source.advise(modelAt('kept'))).toEqual([]);
  });
});
