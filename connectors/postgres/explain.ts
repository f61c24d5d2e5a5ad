import type { ReadRequest, ShownRead } from '../connector.ts';
import type { CatalogTable } from './catalog.ts';
import { framed } from './query.ts';
import { buildRead, type ReadStatement } from './read-statement.ts';
import { beginRead, checkTenant, readerSettings } from './read.ts';
import type { Session } from './session.ts';

/** The statement that a read would send, without the values that it would send beside it or inside. */
export async function explainRead(
  session: Session,
  { table, request, withPlan }: { table: CatalogTable; request: ReadRequest; withPlan: boolean },
): Promise<ShownRead> {
  const { query } = request.relation;
  const shown = query === undefined ? table : { ...table, sqlName: framed(query.masked) };
  const { query: sql } = buildRead(shown, request);
  if (!withPlan) return { sql, plan: undefined };
  const plan = await planOf(session, buildRead(table, request));
  return { sql, plan: maskedPlan(plan, request.tenant.id) };
}

const timeout = `set local statement_timeout = '15s'`;

async function planOf(session: Session, statement: ReadStatement): Promise<string> {
  const options = { begin: beginRead, settings: [...readerSettings, timeout] };
  const rows = await session.transaction(async () => {
    await checkTenant(session, statement);
    return session.rows<Record<'QUERY PLAN', string>>(/*sql*/ `explain ${statement.query}`);
  }, options);
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

/**
 * A plan repeats every constant of the statement, of views and of policies. Literals, in which a backslash
 * is nothing special, go as a whole; a tenant
 * that became a number, or the name of a schema, is known by its text.
 */
function maskedPlan(plan: string, tenantId: string): string {
  const bare = new RegExp(`(?<![\\w.=])${RegExp.escape(tenantId)}(?![\\w.])`, 'g');
  return plan
    .replaceAll(/'(?:[^']|'')*'/g, "'***'")
    .split(costs)
    .map((part) => (costs.test(part) ? part : part.replaceAll(bare, '***')))
    .join('');
}

const costs = /( {2}\(cost=[^)]*\))/;
