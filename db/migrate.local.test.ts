import { afterAll, beforeAll, expect, test } from 'vitest';
import { Failure } from '../domain/failure.ts';
import { createTestDatabase, runSql, type TestDatabase } from '../test/harness/database.ts';
import { closeDatabase, createDatabase, isDatabaseAway, pingDatabase } from './database.ts';
import { applyMigrations, pendingMigrations } from './migrate.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(async () => {
  await database.drop();
});

test('of two processes that migrate at once one applies each migration and the other none', async () => {
  const db = createDatabase(database.url);
  const before = await pendingMigrations(db);
  expect(before.length).toBeGreaterThan(0);
  const applied = await Promise.all([applyMigrations(database.url), applyMigrations(database.url)]);
  expect(applied.flat()).toEqual(before);
  expect(await pendingMigrations(db)).toEqual([]);
  expect(await applyMigrations(database.url)).toEqual([]);
  await closeDatabase(db);
});

test('a database with migrations of a newer version is refused', async () => {
  await using newer = await createTestDatabase();
  await applyMigrations(newer.url);
  await runSql(
    newer.url,
    /*sql*/ `insert into drizzle.__drizzle_migrations (hash, created_at, name)
      values ('', 0, '29991231235959_far')`,
  );
  await expect(applyMigrations(newer.url)).rejects.toMatchObject({ kind: 'config_invalid' });
});

test('a database that does not answer is told from a defect of ours', async () => {
  const nowhere = createDatabase('postgres://nobody@127.0.0.1:1/nothing');
  const error = await nowhere.transaction(async () => {}).catch((thrown: unknown) => thrown);
  expect(isDatabaseAway(error)).toBe(true);
  await expect(pingDatabase(nowhere)).rejects.toBeInstanceOf(Failure);
  await closeDatabase(nowhere);
  const db = createDatabase(database.url);
  const wrong = await db.execute('select no_such_column').catch((thrown: unknown) => thrown);
  expect(isDatabaseAway(wrong)).toBe(false);
  await closeDatabase(db);
});
