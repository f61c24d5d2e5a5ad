import { randomUUID } from 'node:crypto';
import { Client, escapeIdentifier } from 'pg';
import type { PostgresMajor } from '../../bin/embedded-postgres.ts';
import { sharedPostgres, type PostgresAddress } from './servers.ts';

/** A database that is filled once per run and server, and cloned from then on. */
export interface Template {
  readonly name: string;
  readonly build: (url: string) => Promise<void>;
}

export interface TestDatabaseOptions {
  /** 18 when left out. */
  readonly major?: PostgresMajor;
  readonly template?: Template;
  /** An ICU locale such as `en-US`, major 15 and up; C when left out. */
  readonly icuLocale?: string;
}

export interface TestDatabase extends PostgresAddress, AsyncDisposable {
  readonly name: string;
  readonly url: string;
  /** Ends every session in it and removes it. */
  drop(): Promise<void>;
}

/** A database of its own for one test file or test, on a server shared by all. */
export async function createTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const server = await sharedPostgres(options.major);
  const template =
    options.template === undefined ? undefined : await ensureTemplate(server, options.template);
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await runSql(databaseUrl(server, 'postgres'), createStatement(name, template, options.icuLocale));
  const drop = () => dropDatabase(server, name);
  return { ...server, name, url: databaseUrl(server, name), drop, [Symbol.asyncDispose]: drop };
}

/** Runs one statement in a connection of its own. For tests only: no parameters. */
export async function runSql(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}

export function databaseUrl(server: PostgresAddress, database: string): string {
  const login = `${encodeURIComponent(server.user)}:${encodeURIComponent(server.password)}`;
  return `postgres://${login}@${server.host}:${server.port}/${encodeURIComponent(database)}`;
}

function createStatement(
  name: string,
  template: string | undefined,
  icuLocale: string | undefined,
): string {
  const statement = /*sql*/ `create database ${escapeIdentifier(name)}`;
  if (template !== undefined) return `${statement} template ${escapeIdentifier(template)}`;
  if (icuLocale === undefined) return statement;
  return `${statement} template template0 locale_provider icu icu_locale '${icuLocale}'`;
}

/** Without `with (force)`, which Postgres 12 lacks. */
async function dropDatabase(server: PostgresAddress, name: string): Promise<void> {
  const client = new Client({ connectionString: databaseUrl(server, 'postgres') });
  await client.connect();
  try {
    await client.query(/*sql*/ `update pg_database set datallowconn = false where datname = $1`, [
      name,
    ]);
    await client.query(
      /*sql*/ `select pg_terminate_backend(pid) from pg_stat_activity where datname = $1`,
      [name],
    );
    await client.query(/*sql*/ `drop database if exists ${escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
}

/** Test files run in several processes: the lock lets one of them build and the others wait for it. */
async function ensureTemplate(server: PostgresAddress, template: Template): Promise<string> {
  const client = new Client({ connectionString: databaseUrl(server, 'postgres') });
  await client.connect();
  try {
    await client.query(/*sql*/ `select pg_advisory_lock(hashtext($1))`, [template.name]);
    const found = await client.query(/*sql*/ `select from pg_database where datname = $1`, [
      template.name,
    ]);
    if (found.rowCount === 0) await buildTemplate(client, server, template);
    return template.name;
  } finally {
    await client.end();
  }
}

async function buildTemplate(
  client: Client,
  server: PostgresAddress,
  template: Template,
): Promise<void> {
  const half = `${template.name}_half`;
  await dropDatabase(server, half);
  await client.query(/*sql*/ `create database ${escapeIdentifier(half)}`);
  await template.build(databaseUrl(server, half));
  await client.query(
    /*sql*/ `alter database ${escapeIdentifier(half)} rename to ${escapeIdentifier(template.name)}`,
  );
}
