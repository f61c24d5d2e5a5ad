import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Ends } from '../../test/harness/postgres-ends.ts';

describe.each([12, 18] as const)('what a catalogue says of keys on Postgres %i', (major) => {
  let ends: Ends;

  beforeAll(async () => {
    ends = await Ends.create({ major });
  });
  afterAll(() => ends[Symbol.asyncDispose]());

  /** Places in the key and comments, by column, of a table that was made by these statements. */
  async function keyOf(...statements: string[]) {
    await ends.source.query('drop table if exists t');
    for (const statement of statements) await ends.source.query(statement);
    await using source = ends.openSource();
    const columns = await source.describe({ schema: 'public', table: 't' });
    const named = columns.map(({ name, keyPlace, comment }) => [name, keyPlace ?? comment]);
    return Object.fromEntries(named.filter(([, said]) => said !== undefined)) as object;
  }

  test('the primary key counts, in its own order, and comments are told', async () => {
    const create = 'create table t (a int unique not null, b int, c int, primary key (c, b))';
    const comment = `comment on column t.a is 'Of no use'`;
    expect(await keyOf(create, comment)).toEqual({ c: 1, b: 2, a: 'Of no use' });
  });

  test('without one the shortest unique key that is never null', async () => {
    const create = 'create table t (a int not null, b int not null, c int, d int not null)';
    const wide = 'create unique index on t (a, b, d)';
    const nullable = 'create unique index on t (c)';
    expect(await keyOf(create, wide, nullable, 'create unique index on t (b, a)')).toEqual({
      b: 1,
      a: 2,
    });
  });

  test('an index of some rows, of an expression or of none is no key', async () => {
    const create = 'create table t (a int not null, b text not null)';
    const partial = 'create unique index on t (a) where a > 0';
    expect(await keyOf(create, partial, 'create unique index on t (lower(b))')).toEqual({});
    expect(await keyOf('create view t as select 1 as a')).toEqual({});
    await ends.source.query('drop view t');
  });
});
