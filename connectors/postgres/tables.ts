import type { Session } from './session.ts';
import { literal, qualified, quote } from './sql.ts';

/** Names of our two tables at a destination. The first is for the customer, the second is ours. */
export const statusTable = '_transfer_status';
export const loadTable = '_waybill_load';

/** Waits for nothing longer than this on somebody else's lock. */
export const lockTimeout = `set local lock_timeout = '3s'`;

/** Whether a table, an index or anything else has the name. */
export async function hasRelation(
  session: Session,
  schema: string,
  name: string,
): Promise<boolean> {
  const rows = await session.rows(
    /*sql*/ `select from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relname = $2`,
    [schema, name],
  );
  return rows.length > 0;
}

/** Makes the schema and our two tables where they are missing. Safe against others doing the same. */
export async function ensureTables(session: Session, schema: string): Promise<void> {
  const [found] = await session.rows<{ count: string }>(
    /*sql*/ `select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relname in ($2, $3)`,
    [schema, statusTable, loadTable],
  );
  if (found?.count === '2') return;
  await ensureSchema(session, schema);
  await withSchemaLock(session, schema, async () => {
    await session.script([...createStatus(schema), ...createLoads(schema)]);
  });
}

/** `create schema if not exists` wants the right to create one even where it exists. */
export async function ensureSchema(session: Session, schema: string): Promise<void> {
  const isThere = async () =>
    (await session.rows(/*sql*/ `select from pg_namespace where nspname = $1`, [schema])).length >
    0;
  if (await isThere()) return;
  await withSchemaLock(session, schema, async () => {
    if (!(await isThere())) await session.script([`create schema ${quote(schema)}`]);
  });
}

/** One of us at a time changes the catalog of a schema: two models of one destination begin together. */
export async function withSchemaLock(
  session: Session,
  schema: string,
  work: () => Promise<void>,
): Promise<void> {
  const run = async () => {
    await session.rows(/*sql*/ `select pg_advisory_xact_lock(hashtextextended($1, 0))`, [
      `waybill ${schema}`,
    ]);
    await work();
  };
  await session.transaction(run, { settings: [`set local lock_timeout = '30s'`] });
}

function createStatus(schema: string): string[] {
  const table = qualified(schema, statusTable);
  const comment =
    'One row per table that Waybill keeps here: when it was last loaded, and up to where.';
  return [
    /*sql*/ `create table if not exists ${table} (
      table_name text primary key,
      model_name text not null,
      transfer_last_updated_at timestamptz not null,
      transfer_id text not null,
      transfer_type text not null,
      rows_transferred bigint not null,
      last_modified_watermark timestamptz)`,
    `comment on table ${table} is ${literal(comment)}`,
  ];
}

function createLoads(schema: string): string[] {
  const table = qualified(schema, loadTable);
  const comment =
    'The bookkeeping of Waybill: where the next transfer of each table begins. ' +
    'Please do not change it: without it Waybill does not know the tables as its own and stops.';
  return [
    /*sql*/ `create table if not exists ${table} (
      model_id text primary key,
      model_name text not null,
      table_name text not null,
      owner text not null,
      epoch_started_at_micros bigint not null,
      epoch_step integer not null,
      epoch_attempt integer not null,
      writer_pid integer,
      writer_backend_start timestamptz,
      load_identity text,
      watermark timestamptz,
      greatest timestamptz,
      fence timestamptz,
      applied_table jsonb,
      load_state text,
      load_transfer_id text,
      load_revision_id text,
      load_mode text,
      load_copy_of text,
      load_window_after timestamptz,
      load_window_up_to timestamptz,
      load_begun_at timestamptz,
      load_pass integer not null default 0,
      load_attempts integer not null default 0,
      load_fence timestamptz,
      load_cursor timestamptz,
      load_cursor_key text[],
      load_rows bigint not null default 0,
      load_greatest timestamptz,
      staged_rows bigint not null default 0,
      staged_attempt integer not null default 1,
      staged_name text,
      staged_oid bigint,
      staged_filenode bigint,
      staged_again_in_step integer,
      published_rows bigint,
      published_up_to text[])`,
    `comment on table ${table} is ${literal(comment)}`,
  ];
}
