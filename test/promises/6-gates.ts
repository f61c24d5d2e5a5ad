import { setTimeout as sleep } from 'node:timers/promises';
import type { Place } from './6-logins.ts';
import { connect } from '../harness/vendor.ts';

/** A point in a database at which statements stop while it is closed. Open when made. */
export interface Gate extends AsyncDisposable {
  close(): Promise<void>;
  open(): Promise<void>;
  /** Resolves once a statement waits at it. @throws after a minute */
  reached(): Promise<void>;
  /** Resolves once no statement waits at it any more. @throws after a minute */
  left(): Promise<void>;
}

const lockId = 4711;
const advisory = `l.locktype = 'advisory'`;
const reachedMs = 60_000;
const pollMs = 20;

/** Statements stop where they call `pass_gate()`, which is true. */
export async function createGate({ database }: Pick<Place, 'database'>): Promise<Gate> {
  const holder = await connect(database);
  await holder.query(/*sql*/ `create function pass_gate() returns boolean language plpgsql volatile
    as 'begin perform pg_advisory_xact_lock_shared(${lockId}); return true; end'`);
  return {
    close: async () => void (await holder.query(/*sql*/ `select pg_advisory_lock(${lockId})`)),
    open: async () => void (await holder.query(/*sql*/ `select pg_advisory_unlock_all()`)),
    reached: () => waitForLock(holder, advisory),
    left: () => poll(async () => !(await isWaitedFor(holder, advisory)), 'The gate is not left.'),
    [Symbol.asyncDispose]: () => holder.end(),
  };
}

/** Resolves once a session of the database waits for such a lock. */
export async function waitForLock(sql: Place['sql'], which: string): Promise<void> {
  await poll(() => isWaitedFor(sql, which), `Nothing waits for a lock where ${which}.`);
}

/** Locks a table. @returns waits until somebody waits for it, and gives what lets go */
export async function lockIn(
  { database }: Pick<Place, 'database'>,
  table: string,
  mode = 'access exclusive',
): Promise<() => Promise<() => Promise<void>>> {
  const locker = await connect(database);
  await locker.query(/*sql*/ `begin; lock table ${table} in ${mode} mode`);
  return async () => {
    await waitForLock(locker, `l.relation = '${table}'::regclass`);
    return () => locker.end();
  };
}

/** Asked of the locks alone: within a transaction the list of sessions is old news. */
async function isWaitedFor(sql: Place['sql'], which: string): Promise<boolean> {
  const { rows } =
    await sql.query(/*sql*/ `select from pg_locks l where not l.granted and ${which} and l.pid in (
      select h.pid from pg_locks h join pg_database d on d.oid = h.database
      where d.datname = current_database())`);
  return rows.length > 0;
}

async function poll(isSo: () => Promise<boolean>, otherwise: string): Promise<void> {
  const deadline = Date.now() + reachedMs;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(otherwise);
    await sleep(pollMs);
  }
}

/** A model's table whose rows, from the one of this id on, are read only while the gate is open. */
export async function createGatedView(
  sql: Place['sql'],
  { name, from }: { name: string; from: number },
): Promise<void> {
  await sql.query(/*sql*/ `create view ${name} as
    select * from orders where case when id = ${from} then pass_gate() else true end`);
}

/** Whatever inserts into the table or changes it stops once before its first row, and once at its commit. */
export async function gateTable(
  sql: Place['sql'],
  table: string,
  when: 'statement' | 'commit',
): Promise<void> {
  await sql.query(/*sql*/ `create function wait_at_gate() returns trigger language plpgsql
    as 'begin perform pass_gate(); return null; end'`);
  const trigger = {
    statement: /*sql*/ `create trigger gate after insert or update on ${table} for each statement`,
    commit: /*sql*/ `create constraint trigger gate after insert or update on ${table}
      deferrable initially deferred for each row`,
  };
  await sql.query(`${trigger[when]} execute function wait_at_gate()`);
}
