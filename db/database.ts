import { DrizzleQueryError } from 'drizzle-orm';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { NodePgQueryResultHKT } from 'drizzle-orm/node-postgres/session';
import type { PgAsyncDatabase } from 'drizzle-orm/pg-core';
import type { EmptyRelations } from 'drizzle-orm/relations';
import pg from 'pg';
import { Failure } from '../domain/failure.ts';

/** The pool of our own database. */
export type Database = NodePgDatabase & { $client: pg.Pool };

/** The pool or a transaction of it: what every verb takes first. */
export type Db = PgAsyncDatabase<NodePgQueryResultHKT, EmptyRelations>;

export interface DatabaseOptions {
  /** Connections at most; 10 unless told. */
  readonly connectionsMax?: number | undefined;
  /** Told of connections that break while idle; the pool replaces them by itself. */
  readonly onIdleError?: ((error: Error) => void) | undefined;
}

/** A pool for our own database. End it with `closeDatabase`. */
export function createDatabase(url: string, options: DatabaseOptions = {}): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.connectionsMax ?? 10,
    connectionTimeoutMillis: 10_000,
    // A server that has gone without a word is noticed within a minute, not after the kernel's two hours.
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
    // Instants travel as text: the zone of the server's configuration must not colour them.
    options: '-c timezone=UTC -c datestyle=ISO',
    application_name: 'waybill',
  });
  // Without a listener an idle connection that breaks would end the process.
  pool.on('error', (error) => options.onIdleError?.(error));
  return drizzle({ client: pool, paramsInErrors: false });
}

export async function closeDatabase(db: Database): Promise<void> {
  await db.$client.end();
}

/** Throws `unavailable` when our database does not answer. */
export async function pingDatabase(db: Database): Promise<void> {
  try {
    await db.$client.query(/*sql*/ `select 1`);
  } catch (error) {
    throw new Failure('unavailable', 'The database of Waybill does not answer.', { cause: error });
  }
}

/**
 * Runs the work, and where it breaks the named unique index throws the failure instead: two writers that
 * race for a name both passed any check before, so the index is the only judge.
 */
export async function onDuplicate<T>(
  index: string,
  failure: Failure,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const cause = error instanceof DrizzleQueryError ? error.cause : error;
    const isDuplicate =
      cause instanceof pg.DatabaseError && cause.code === '23505' && cause.constraint === index;
    throw isDuplicate ? failure : error;
  }
}

/** SQLSTATE classes of a database that is away, starting, full or overtaken by another transaction. */
const passingClasses = /^(08|40|53|57P0)/;

/** What the driver says without a SQLSTATE when it cannot connect, or is cut off. */
const lostConnection =
  /^(connect|read|write|getaddrinfo) E|^Connection terminated|^timeout exceeded when trying to connect|^Client has encountered a connection error/;

/** Whether an error came from our own database and may be gone in a moment. */
export function isDatabaseAway(error: unknown): boolean {
  const cause = error instanceof DrizzleQueryError ? error.cause : error;
  if (cause instanceof pg.DatabaseError) return passingClasses.test(cause.code ?? '');
  // Connections to other systems never come here: their connectors have made failures of them.
  if (cause instanceof AggregateError) return cause.errors.some(isDatabaseAway);
  return cause instanceof Error && lostConnection.test(cause.message);
}
