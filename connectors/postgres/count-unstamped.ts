import { must } from '../../lib/must.ts';
import type { UnstampedRows } from '../connector.ts';
import { columnOf, type CatalogTable } from './catalog.ts';
import { buildCount } from './read-statement.ts';
import { beginRead, checkTenant, readerSettings } from './read.ts';
import type { Session } from './session.ts';

/** A column that cannot be null is not looked at. */
export async function countUnstamped(
  session: Session,
  table: CatalogTable,
  rows: UnstampedRows,
): Promise<number> {
  if (!columnOf(table, rows.lastModified.nameInSource).nullable) return 0;
  const statement = buildCount(table, rows);
  const options = { begin: beginRead, settings: readerSettings };
  return session.transaction(async () => {
    await checkTenant(session, statement);
    const [row] = await session.rows<{ rows: number }>(statement.query);
    return must(row, 'a row').rows;
  }, options);
}
