import { createHash } from 'node:crypto';
import { Failure } from '../../domain/failure.ts';
import type { LoadPlan } from '../../domain/load.ts';
import { must } from '../../lib/must.ts';
import { lockNotAvailable, sqlStateOf } from './failures.ts';
import { applicationNames } from './connect.ts';
import type { LoadRow } from './record.ts';
import type { Session } from './session.ts';
import { literal, qualified, quote } from './sql.ts';
import { loadTable } from './tables.ts';
import { columnDefinitions } from './writing.ts';

/** The hidden table of a `replace`, told apart from whatever else may get its name. */
export interface Staging {
  readonly name: string;
  readonly oid: number;
  readonly filenode: number;
}

/** The constant column that says which attempt brought a row. A table of a single attempt does without. */
export const attemptColumn = '_waybill_attempt';

/** Name of the key's constraint while the table is hidden. */
export function stagingKey({ name }: Staging): string {
  return `${name}_key`;
}

/** Somebody else has taken the hidden table away or changed its rows. */
export function lostCopy(table: string): Failure {
  return new Failure(
    'schema_conflict',
    `The unfinished copy of table ${table} at the destination was changed by somebody else. ` +
      'It is loaded anew by the next transfer.',
  );
}

/**
 * Inside a transaction: hidden tables of ours that no row of a load names any more, because somebody deleted
 * the row. They would stay for ever.
 */
async function dropForgotten(session: Session, schema: string): Promise<void> {
  // One that another load is dropping, or that somebody reads or built a view on, stays for next time.
  const body = /*sql*/ `declare name text; begin
    for name in select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = ${literal(schema)} and c.relkind = 'r' and c.relname ~ '^_waybill_copy_[0-9a-f]{16}$'
        and pg_get_userbyid(c.relowner) = current_user
        and c.oid::bigint not in (select staged_oid from ${qualified(schema, loadTable)}
          where staged_oid is not null) order by 1
    loop
      begin execute format('drop table if exists %I.%I', ${literal(schema)}, name);
      exception when others then null; end;
    end loop; end`;
  await session.script([`do ${literal(body)}`]);
}

/** Inside a transaction: a hidden table without a key, from the frozen revision. */
export async function createStaging(
  session: Session,
  schema: string,
  plan: LoadPlan,
): Promise<Staging> {
  const { table, modelId, epoch } = plan;
  const rank = [modelId, epoch.startedAtMicros, epoch.step, epoch.attempt];
  const hash = createHash('sha256').update(JSON.stringify(rank)).digest('hex');
  const name = `_waybill_copy_${hash.slice(0, 16)}`;
  const hidden = qualified(schema, name);
  const comment = `Waybill builds a new copy of ${table.name} here; the table goes when that is done.`;
  const comments = table.columns.flatMap((column) =>
    column.description === undefined
      ? []
      : [`comment on column ${hidden}.${quote(column.name)} is ${literal(column.description)}`],
  );
  await dropForgotten(session, schema);
  await session.script([
    /*sql*/ `drop table if exists ${hidden}`,
    /*sql*/ `create table ${hidden} (${columnDefinitions(table.columns, table.key)})`,
    `comment on table ${hidden} is ${literal(comment)}`,
    ...comments,
  ]);
  const [row] = await session.rows<{ oid: string; filenode: string }>(
    /*sql*/ `select c.oid::text, pg_relation_filenode(c.oid)::text as filenode
      from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2`,
    [schema, name],
  );
  const { oid, filenode } = must(row, 'the hidden table');
  return { name, oid: Number(oid), filenode: Number(filenode) };
}

/** What the row says of it, where it was made. */
export function stagingOf(row: LoadRow): Staging | undefined {
  const { staged_name: name, staged_oid: oid, staged_filenode: filenode } = row;
  return name === null || oid === null || filenode === null ? undefined : { name, oid, filenode };
}

/**
 * Whether the table is still the one we made, with the rows we put in: truncating it gives it another
 * filenode.
 */
export async function isIntact(
  session: Session,
  schema: string,
  staging: Staging,
): Promise<boolean> {
  const rows = await session.rows(
    /*sql*/ `select from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.oid = $1::oid and n.nspname = $2 and c.relname = $3 and pg_relation_filenode(c.oid) = $4::oid`,
    [staging.oid, schema, staging.name, staging.filenode],
  );
  return rows.length > 0;
}

/** Inside a transaction. A table that merely has the name is somebody else's. */
export async function dropStaging(
  session: Session,
  schema: string,
  staging: Staging,
): Promise<void> {
  const rows = await session.rows(
    /*sql*/ `select from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.oid = $1::oid and n.nspname = $2 and c.relname = $3`,
    [staging.oid, schema, staging.name],
  );
  if (rows.length > 0) await session.script([`drop table ${qualified(schema, staging.name)}`]);
}

/**
 * Work that needs the hidden table for itself. An attempt before us that hangs in a COPY into it would
 * hold it for as long as it likes: it is ended, and the work tried once more.
 */
export async function withStagingLock<T>(
  session: Session,
  staging: Staging | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (staging === undefined || sqlStateOf(error) !== lockNotAvailable) throw error;
    await endWriters(session, staging.oid);
    return work();
  }
}

const endTriesMax = 50;
const endWaitMs = 100;

/** Ends our own login's sessions that hold the table; nobody but an earlier attempt of this load does. */
async function endWriters(session: Session, oid: number): Promise<void> {
  for (let tries = 0; tries < endTriesMax; tries += 1) {
    const ended = await session.rows(
      /*sql*/ `select pg_terminate_backend(a.pid) from pg_stat_activity a
        where a.pid <> pg_backend_pid() and a.usename = current_user and a.application_name = $2
          and a.pid in (select l.pid from pg_locks l join pg_database d on d.oid = l.database
            where d.datname = current_database() and l.locktype = 'relation' and l.relation = $1::oid)`,
      [oid, applicationNames.destination],
    );
    if (ended.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, endWaitMs));
  }
}
