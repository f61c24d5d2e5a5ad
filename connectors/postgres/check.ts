import { driverTextOf, toFailure, withDriverText, type Failure } from '../../domain/failure.ts';
import { wrapInMessages } from '../../formats/copy-messages.ts';
import type { Finding } from '../connector.ts';
import type { DestinationSettings, SourceSettings } from './declaration.ts';
import type { LazySession } from './lazy-session.ts';
import type { Session } from './session.ts';
import { qualified, quote } from './sql.ts';

const oldestMajor = 12;

/** A step of a check: what it is called, how it is tried, and the statement that would mend it. */
interface Step {
  readonly name: string;
  readonly message: string;
  readonly fix: string | undefined;
  readonly attempt: () => Promise<unknown>;
}

function ok(name: string, message: string): Finding {
  return { name, status: 'ok', message, fix: undefined };
}

/** Many clients show the message alone, so it names the statement that mends it too. */
function failed(name: string, failure: Failure, fix: string | undefined): Finding {
  const message = fix === undefined ? failure.message : `${failure.message} Run: ${fix};`;
  const finding = { name, status: 'error' as const, message, fix, code: failure.code };
  return withDriverText(finding, driverTextOf(failure));
}

export async function checkSource(lazy: LazySession, settings: SourceSettings): Promise<Finding[]> {
  return afterLogin(lazy, async (session) => {
    const findings = [await checkVersion(session)];
    const [row] = await session.rows<{
      sees_all: boolean;
      is_standby: boolean;
      login: string;
    }>(/*sql*/ `select pg_has_role(current_user, 'pg_read_all_stats', 'usage') as sees_all,
        pg_is_in_recovery() as is_standby, current_user::text as login`);
    if (settings.schema !== undefined)
      findings.push(await checkSourceSchema(session, settings.schema));
    if (row !== undefined) findings.push(describeFence(row));
    return findings;
  });
}

function describeFence(row: { sees_all: boolean; is_standby: boolean; login: string }): Finding {
  if (row.is_standby) {
    const message = 'This is a standby: late commits are covered by the lookback only.';
    return { name: 'see open transactions', status: 'warning', message, fix: undefined };
  }
  if (row.sees_all) return ok('see open transactions', 'Rows that commit late are never missed.');
  return {
    name: 'see open transactions',
    status: 'warning',
    message:
      'The login cannot see the transactions of others: only the lookback covers rows that commit late.',
    fix: `grant pg_read_all_stats to ${quote(row.login)}`,
  };
}

async function checkSourceSchema(session: Session, schema: string): Promise<Finding> {
  const [row] = await session.rows<{ usable: boolean | null; login: string }>(
    /*sql*/ `select
        (select has_schema_privilege(oid, 'usage') from pg_namespace where nspname = $1) as usable,
      current_user::text as login`,
    [schema],
  );
  if (row?.usable === true) return ok('read', `Schema ${schema} can be read.`);
  const fix = `grant usage on schema ${quote(schema)} to ${quote(row?.login ?? '')}`;
  const message =
    row?.usable === false
      ? `The login may not use schema ${schema}. Run: ${fix};`
      : `There is no schema ${schema}.`;
  return row?.usable === false
    ? { name: 'read', status: 'error', message, fix, code: 'PERM' }
    : { name: 'read', status: 'error', message, fix: undefined, code: 'MISS' };
}

/** Tries every step of a load in one transaction that is rolled back: nothing stays behind. */
export async function checkDestination(
  lazy: LazySession,
  settings: DestinationSettings,
): Promise<Finding[]> {
  return afterLogin(lazy, async (session) => {
    const findings = [await checkVersion(session)];
    const [names] = await session.rows<{ login: string; database: string; has_schema: boolean }>(
      /*sql*/ `select current_user::text as login, current_database()::text as database,
        exists (select from pg_namespace where nspname = $1) as has_schema`,
      [settings.schema],
    );
    const { login = '', database = '', has_schema: hasSchema = false } = names ?? {};
    const steps = loadSteps(session, { schema: settings.schema, login, database, hasSchema });
    await session.script(['begin', `set local lock_timeout = '3s'`]);
    try {
      findings.push(...(await runSteps(steps)));
    } finally {
      await session.script(['rollback']);
    }
    return findings;
  });
}

function loadSteps(
  session: Session,
  place: { schema: string; login: string; database: string; hasSchema: boolean },
): Step[] {
  const schema = quote(place.schema);
  const [login, database] = [quote(place.login), quote(place.database)];
  const scratch = qualified(place.schema, `_waybill_check_${process.pid}`);
  const create = place.hasSchema
    ? []
    : [
        {
          name: 'create schema',
          message: `Schema ${place.schema} can be made.`,
          fix: `grant create on database ${database} to ${login}`,
          attempt: () => session.script([`create schema ${schema}`]),
        },
      ];
  return [
    ...create,
    {
      name: 'create table',
      message: `Tables can be made in schema ${place.schema}.`,
      fix: `grant usage, create on schema ${schema} to ${login}`,
      attempt: () =>
        session.script([`create table ${scratch} (id integer primary key, note text)`]),
    },
    {
      name: 'stage',
      message: 'Temporary tables can be made.',
      fix: `grant temporary on database ${database} to ${login}`,
      attempt: () =>
        session.script(['create temp table _waybill_check (id integer, note text) on commit drop']),
    },
    {
      name: 'write',
      message: 'Rows can be copied and merged.',
      fix: undefined,
      attempt: async () => {
        await session.copyIn(
          ['copy pg_temp._waybill_check from stdin'],
          wrapInMessages([Buffer.from('1\tx\n')]),
          {},
        );
        await session.script([
          `insert into ${scratch} as t select id, note from pg_temp._waybill_check ` +
            `on conflict (id) do update set note = excluded.note`,
        ]);
      },
    },
    {
      name: 'read',
      message: 'What was written can be read.',
      fix: undefined,
      attempt: () => session.rows(`select id from ${scratch}`),
    },
  ];
}

/** Each step needs the ones before it, so the first that fails is the last. */
async function runSteps(steps: readonly Step[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const step of steps) {
    try {
      await step.attempt();
      findings.push(ok(step.name, step.message));
    } catch (error) {
      const failure = toFailure(error);
      findings.push(failed(step.name, failure, failure.code === 'PERM' ? step.fix : undefined));
      break;
    }
  }
  return findings;
}

async function checkVersion(session: Session): Promise<Finding> {
  const [row] = await session.rows<{
    number: string;
    version: string;
  }>(/*sql*/ `select current_setting('server_version_num') as number,
      current_setting('server_version') as version`);
  const major = Math.floor(Number(row?.number) / 10_000);
  const message = `The server is Postgres ${row?.version}.`;
  if (major >= oldestMajor) return ok('version', message);
  return {
    name: 'version',
    status: 'warning',
    message: `${message} Waybill is tested from ${oldestMajor} on.`,
    fix: undefined,
  };
}

const loginSteps = [
  ['resolve', 'The name of the host is known.'],
  ['connect', 'The server answers.'],
  ['authenticate', 'The login is accepted.'],
] as const;

async function afterLogin(
  lazy: LazySession,
  work: (session: Session) => Promise<Finding[]>,
): Promise<Finding[]> {
  const login = await lazy.get().catch((error: unknown) => toFailure(error));
  if (login instanceof Error) return failedLogin(login);
  const findings = loginSteps.map(([name, message]) => ok(name, message));
  try {
    return [...findings, ...(await work(login))];
  } catch (error) {
    return [...findings, failed('query', toFailure(error), undefined)];
  }
}

/** The steps before the one that failed have succeeded. */
function failedLogin(failure: Failure): Finding[] {
  const stepOf: Readonly<Record<string, number>> = { HOST: 0, CONN: 1, TLSX: 1, SSHX: 1 };
  const at = stepOf[failure.code] ?? 2;
  const passed = loginSteps.slice(0, at).map(([name, message]) => ok(name, message));
  return [...passed, failed(loginSteps[at]?.[0] ?? 'connect', failure, undefined)];
}
