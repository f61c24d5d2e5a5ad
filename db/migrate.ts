import { fileURLToPath } from 'node:url';
import { DrizzleQueryError, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import pg from 'pg';
import { Failure } from '../domain/failure.ts';
import type { Db } from './database.ts';

const migrationsFolder = fileURLToPath(new URL('migrations', import.meta.url));

/** Any number that nobody else uses: who holds it applies migrations, the others wait. */
const lockKey = 7_283_142_550;

/**
 * Applies the migrations that are missing and returns their names, in order. Any number of processes may
 * do so at once.
 * @throws Failure `config_invalid` when the database has migrations of a newer version of Waybill.
 */
export async function applyMigrations(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url, application_name: 'waybill migrate' });
  await client.connect();
  try {
    await client.query(/*sql*/ `select pg_advisory_lock($1)`, [lockKey]);
    const db = drizzle({ client });
    const pending = await pendingMigrations(db);
    if (pending.length > 0) await migrate(db, { migrationsFolder });
    return pending;
  } finally {
    await client.end();
  }
}

/**
 * The names of migrations that this version needs and the database does not have yet.
 * @throws Failure `config_invalid` when the database has migrations that this version does not know.
 */
export async function pendingMigrations(db: Db): Promise<string[]> {
  const ours = readMigrationFiles({ migrationsFolder }).map(({ name }) => name);
  const applied = await appliedMigrations(db);
  const unknown = applied.filter((name) => !ours.includes(name));
  if (unknown.length > 0) {
    const message = `The database was migrated by a newer version of Waybill (${unknown.join(', ')}).`;
    throw new Failure('config_invalid', message);
  }
  return ours.filter((name) => !applied.includes(name));
}

async function appliedMigrations(db: Db): Promise<string[]> {
  try {
    const { rows } = await db.execute<{ name: string }>(
      /*sql*/ sql`select name from drizzle.__drizzle_migrations order by id`,
    );
    return rows.map(({ name }) => name);
  } catch (error) {
    const cause = error instanceof DrizzleQueryError ? error.cause : error;
    // undefined_table and invalid_schema_name: a database that was never migrated.
    const isNew =
      cause instanceof pg.DatabaseError && ['42P01', '3F000'].includes(cause.code ?? '');
    if (isNew) return [];
    throw error;
  }
}
