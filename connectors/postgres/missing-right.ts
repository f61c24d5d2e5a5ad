import type { DatabaseError } from 'pg';
import type { Side } from './failures.ts';
import { quote } from './sql.ts';

/** Where the server itself says whose right is missing. A function of a customer may raise the same state. */
const routines: readonly string[] = [
  'aclcheck_error',
  'CheckMyDatabase',
  'InitTempTableNamespace',
  'ExecWithCheckOptions',
];

/** What a login needs, by side and by the kind of thing. All at once: the server does not say which. */
const needed: Readonly<Record<Side, Readonly<Record<string, string>>>> = {
  source: { database: 'connect', schema: 'usage', table: 'select', function: 'execute' },
  destination: {
    database: 'connect, create, temporary',
    schema: 'usage, create',
    table: 'select, insert, update, delete',
    function: 'execute',
  },
};

/**
 * Which right is missing and the statement that gives it; undefined where the server does not say so in
 * English. Its sentence names things of the catalog and no values.
 */
export function missingRight(error: DatabaseError, side: Side): string | undefined {
  if (!routines.includes(error.routine ?? '')) return undefined;
  const text = error.message;
  const hidden = /row-level security policy.* for table "(.+)"$/.exec(text)?.[1];
  if (hidden !== undefined) return hiddenRows(hidden, side);
  const temporary = /^permission denied to create temporary tables in database "(.+)"$/.exec(text);
  if (temporary !== null) return grant(side, `temporary on database ${quote(temporary[1] ?? '')}`);
  const owned = /^must be owner of (table|schema) (.+)$/.exec(text);
  if (owned !== null)
    return `The login of the ${side} does not own ${owned[1]} ${owned[2]}. Run: alter ${owned[1]} ${quote(owned[2] ?? '')} owner to <login>`;
  const denied = /^permission denied for (?:materialized |foreign )?(\w+) "?(.+?)"?$/.exec(text);
  const [, word = '', name = ''] = denied ?? [];
  const kind = word === 'view' ? 'table' : word;
  const rights = needed[side][kind];
  return rights === undefined ? undefined : grant(side, `${rights} on ${kind} ${quote(name)}`);
}

/** Row-level security that lets the login see nothing would look like a tenant without rows. */
export function hiddenRows(table: string, side: Side): string {
  return (
    `Row-level security keeps rows of table ${table} from the login of the ${side}. ` +
    'Run: alter role <login> bypassrls; or create a policy that shows it all of them'
  );
}

function grant(side: Side, what: string): string {
  return `The login of the ${side} lacks a right. Run: grant ${what} to <login>`;
}
