import { Client } from 'pg';
import type { Recipient } from './shipments.ts';

// The destination itself writes down each change of Waybill's bookkeeping, in the transaction that makes
// it: what was committed when, and that the watermark never goes back. Nothing is sampled, nothing missed.

/** An event trigger, because Waybill makes its table itself, some time during the first load. */
export function auditStatements(schema: string): string[] {
  return [
    /*sql*/ `create schema audit`,
    /*sql*/ `grant usage on schema audit to public`,
    /*sql*/ `create table audit.trail (
      nr bigint generated always as identity primary key,
      at timestamptz not null default clock_timestamp(),
      model_name text, transfer_id text, state text, mode text, begun_at timestamptz, pass integer,
      step integer, attempt integer, cursor timestamptz, cursor_key text[], staged bigint,
      is_batch boolean, old_watermark timestamptz, watermark timestamptz,
      goes_back boolean)`,
    /*sql*/ `create function audit.note() returns trigger language plpgsql security definer as $$
      begin
        insert into audit.trail (model_name, transfer_id, state, mode, begun_at, pass, step, attempt, cursor,
          cursor_key, staged, is_batch, old_watermark, watermark, goes_back)
        values (new.model_name, new.load_transfer_id, new.load_state, new.load_mode, new.load_begun_at,
          new.load_pass, new.epoch_step, new.epoch_attempt, new.load_cursor, new.load_cursor_key,
          new.staged_rows, new.load_begun_at = old.load_begun_at and new.load_state = 'running'
            and new.staged_rows > old.staged_rows,
          old.watermark, new.watermark,
          (old.watermark is not null and coalesce(new.watermark < old.watermark, true))
          or (new.epoch_started_at_micros, new.epoch_step, new.epoch_attempt)
            < (old.epoch_started_at_micros, old.epoch_step, old.epoch_attempt));
        return null;
      end $$`,
    /*sql*/ `create function audit.watch() returns event_trigger language plpgsql as $$
      declare
        loads oid := to_regclass('${schema}._waybill_load');
      begin
        if loads is null or exists (select from pg_trigger where tgrelid = loads) then return; end if;
        create trigger audit_note after update on ${schema}._waybill_load
          for each row execute function audit.note();
      end $$`,
    /*sql*/ `create event trigger audit_watch on ddl_command_end when tag in ('CREATE TABLE')
      execute function audit.watch()`,
  ];
}

export interface TrailSummary {
  /** When anything was committed there, in ms since 1970, ascending. */
  readonly commits: readonly number[];
  readonly batches: number;
  /** Committed batches that had been committed before within the same pass of the same load. */
  readonly redone: readonly string[];
  /** A watermark or an epoch that went back. */
  readonly wentBack: readonly string[];
}

/** What the destination has written down since the given entry, and which is the last. */
export async function readTrail(
  { url, tenant }: Recipient,
  afterNr: number,
): Promise<TrailSummary & { lastNr: number }> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{
      nr: string;
      at: string;
      is_batch: boolean;
      is_redone: boolean | null;
      goes_back: boolean;
      says: string;
    }>(
      /*sql*/ `with batch as (
          select nr, cursor < max(cursor) over earlier or row_number() over same > 1 as is_redone
          from audit.trail where is_batch and pass = 0 and nr > $1
          window earlier as (partition by model_name, begun_at order by nr
              rows between unbounded preceding and 1 preceding),
            same as (partition by model_name, begun_at, cursor, cursor_key order by nr))
        select t.nr, extract(epoch from at) * 1000 as at, is_batch, b.is_redone, goes_back,
          format('%s %s of transfer %s: watermark %s after %s, attempt %s.%s', mode, model_name,
            transfer_id, watermark, old_watermark, step, attempt) as says
        from audit.trail t left join batch b using (nr) where t.nr > $1 order by t.nr`,
      [afterNr],
    );
    const told = (one: (typeof rows)[number]) => `${tenant}: ${one.says}`;
    return {
      commits: rows.map(({ at }) => Number(at)),
      batches: rows.filter((row) => row.is_batch).length,
      redone: rows.filter((row) => row.is_redone === true).map(told),
      wentBack: rows.filter((row) => row.goes_back).map(told),
      lastNr: Number(rows.at(-1)?.nr ?? afterNr),
    };
  } finally {
    await client.end();
  }
}
