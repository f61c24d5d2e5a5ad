import { compareInstants, type InstantText } from '../../domain/instant.ts';
import type { Fence } from '../../domain/load.ts';
import { must } from '../../lib/must.ts';
import { applicationNames } from './connect.ts';
import type { CatalogTable } from './catalog.ts';
import type { Session } from './session.ts';
import { quote } from './sql.ts';
import type { SourceType } from './type-table.ts';

/** Text that `domain/instant.ts` reads, whatever the session's own settings are. */
const asText = (instant: string) =>
  `to_char(${instant} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'`;

/** Nobody is named as holding the fence back before its transaction has been open for so long. */
const holderSecondsMin = 60;

const microsecondDigits = 6;

interface Activity {
  readonly at: InstantText;
  readonly now: InstantText;
  /** Sessions of which this login may see nothing: not even what kind they are. */
  readonly hidden: number;
  /** Sessions whose role or database has `track_activities` off. */
  readonly untracked: number;
  readonly login: string;
  readonly is_standby: boolean;
  readonly pid: number | null;
  readonly state: string | null;
  readonly age: number | null;
}

export interface FenceRequest {
  readonly table: CatalogTable;
  readonly lastModified: SourceType;
  readonly previous: InstantText | undefined;
}

/**
 * To be called outside any transaction, and before the read begins: inside one the view of activity
 * stands still, and a fence taken after the read's snapshot would miss what committed between.
 */
export async function takeFence(session: Session, request: FenceRequest): Promise<Fence> {
  const activity = await readActivity(session);
  if (activity.is_standby) return takeStandbyFence(session, activity, request.previous);
  const prepared = await countPrepared(session);
  const doubt = await findDoubt(session, request, { activity, prepared });
  return {
    at: prepared > 0 ? heldBack(activity.at, request.previous) : activity.at,
    now: activity.now,
    guarantee: doubt === undefined ? 'commit_safe' : 'lookback',
    reason: doubt?.reason,
    grant: doubt?.grant,
    holder: holderOf(activity),
    position: undefined,
  };
}

/**
 * All open transactions count, with an xid or not: the first write of one that has only read is stamped
 * with its old start. For sessions of other logins everything may be null, hence each coalesce.
 */
async function readActivity(session: Session): Promise<Activity> {
  const [activity] = await session.rows<Activity>(
    /*sql*/ `with others as (
        select pid, state, xact_start, backend_type from pg_catalog.pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()
          and coalesce(backend_type, '') not in ('autovacuum worker', 'walsender')
          and coalesce(application_name, '') <> $1),
      oldest as (select pid, state, xact_start from others where xact_start is not null
        order by xact_start limit 1)
      select ${asText(`least(pg_catalog.now() - interval '5 s', (select xact_start from oldest))`)} as at,
        ${asText('pg_catalog.now()')} as now,
        (select count(*)::int from others where backend_type is null) as hidden,
        (select count(*)::int from others where state = 'disabled') as untracked,
        current_user::text as login, pg_is_in_recovery() as is_standby,
        oldest.pid, oldest.state, extract(epoch from pg_catalog.now() - oldest.xact_start)::float8 as age
      from (select 1) one left join oldest on true`,
    [applicationNames.source],
  );
  return must(activity, 'a row of activity');
}

async function countPrepared(session: Session): Promise<number> {
  const [row] = await session.rows<{
    count: number;
  }>(/*sql*/ `select count(*)::int as count from pg_catalog.pg_prepared_xacts
      where database = current_database()`);
  return must(row, 'a count').count;
}

/**
 * The view shows when a transaction was prepared, which is later than the stamps of its rows. Where no
 * fence came before, nothing bounds them.
 */
function heldBack(at: InstantText, previous: InstantText = '-infinity'): InstantText {
  return compareInstants(previous, at) < 0 ? previous : at;
}

interface Doubt {
  readonly reason: string;
  readonly grant?: string;
}

async function findDoubt(
  session: Session,
  { table, lastModified }: FenceRequest,
  { activity, prepared }: { activity: Activity; prepared: number },
): Promise<Doubt | undefined> {
  if (lastModified.base !== 'timestamptz' || isRounded(lastModified)) {
    const type = lastModified.declared;
    return {
      reason: `The last-modified column is ${type}: only a whole timestamp with time zone is sure.`,
    };
  }
  if (table.kind === 'query') {
    return { reason: 'The model reads a query, in which an old row may appear later.' };
  }
  if (await isNotLocal(session, table)) {
    return {
      reason: 'The model reads a view or a foreign table, whose writers cannot all be seen.',
    };
  }
  if (activity.hidden > 0) {
    const grant = `grant pg_read_all_stats to ${quote(activity.login)}`;
    return { reason: 'Not all sessions of the source can be seen by this login.', grant };
  }
  if (activity.untracked > 0) {
    return {
      reason: 'Sessions of the source have track_activities switched off and show no start.',
    };
  }
  if (prepared > 0) return { reason: 'A prepared transaction is open at the source.' };
  return undefined;
}

/** Rounded down, a stamp lies below the start of its own transaction, and so below the fence. */
function isRounded({ modifier }: SourceType): boolean {
  return modifier >= 0 && modifier < microsecondDigits;
}

async function isNotLocal(session: Session, table: CatalogTable): Promise<boolean> {
  if (table.kind !== 'r' && table.kind !== 'p') return true;
  const [row] = await session.rows<{ foreign: boolean }>(
    /*sql*/ `with recursive parts as (
        select $1::oid as oid union all
        select i.inhrelid from parts p join pg_inherits i on i.inhparent = p.oid)
      select exists (
        select from parts join pg_class c using (oid) where c.relkind not in ('r', 'p')) as foreign`,
    [table.oid],
  );
  return must(row, 'a row').foreign;
}

function holderOf({ pid, state, age }: Activity): Fence['holder'] {
  if (pid === null || age === null || age < holderSecondsMin) return undefined;
  return { pid, state: state ?? 'unknown', ageSeconds: Math.floor(age) };
}

/**
 * A standby shows no transaction of its primary: what it has replayed says only what has committed, so
 * older stamps may still come. The position lets a read find out that another standby has replayed less.
 */
async function takeStandbyFence(
  session: Session,
  activity: Activity,
  previous: InstantText | undefined,
): Promise<Fence> {
  const [row] = await session.rows<{
    replayed: InstantText | null;
    position: string | null;
  }>(/*sql*/ `select ${asText('pg_last_xact_replay_timestamp()')} as replayed,
      pg_last_wal_replay_lsn()::text as position`);
  return {
    at: row?.replayed ?? previous ?? '-infinity',
    now: activity.now,
    guarantee: 'lookback',
    reason: 'The source is a standby, which does not show the open transactions of its primary.',
    grant: undefined,
    holder: undefined,
    position: row?.position ?? undefined,
  };
}
