import pg from 'pg';
import { expect, test } from 'vitest';
import { createTestDatabase } from '../test/harness/database.ts';
import { compareCopies, type TableCopy } from './demo-compare.ts';

const columns = ['id', 'body'];

async function compare(keyKind: TableCopy['keyKind'], change: string) {
  await using database = await createTestDatabase();
  await using stack = new AsyncDisposableStack();
  const open = async () => {
    const client = stack.adopt(new pg.Client({ connectionString: database.url }), (each) =>
      each.end(),
    );
    await client.connect();
    return client;
  };
  const [left, right] = [await open(), await open()];
  await left.query(/*sql*/ `
    create table a as
    select id, case when id % 7 > 0 then 'body ' || id end as body, id % 2 as tenant
    from generate_series(1, 9000) id`);
  await left.query(/*sql*/ `create table b as select id, body from a where tenant = 1`);
  await left.query(change);
  const only = { column: 'tenant', value: '1' };
  const shape = { columns, key: 'id', keyKind };
  return await compareCopies(
    { ...shape, client: left, table: 'a', only },
    { ...shape, client: right, table: 'b' },
  );
}

test.each(['number', 'text'] as const)('equal copies are equal, keys as %s', async (keyKind) => {
  expect(await compare(keyKind, '')).toEqual({ rows: 4500, differing: [] });
});

test.each(['number', 'text'] as const)(
  'every row that differs is named, keys as %s',
  async (keyKind) => {
    const change = /*sql*/ `
    update b set body = '' where id = 7;
    update b set body = 'other' where id = 4001;
    delete from b where id = 8999;
    insert into b values (9001, 'extra')`;
    const { differing } = await compare(keyKind, change);
    expect([...differing].sort()).toEqual(['4001', '7', '8999', '9001']);
  },
);
