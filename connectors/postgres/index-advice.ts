import type { SharedTable } from '../../domain/model.ts';
import type { Finding } from '../connector.ts';
import { nameOf, type CatalogTable } from './catalog.ts';
import type { Session } from './session.ts';
import { quoteAll } from './sql.ts';

/** Plain tables, materialised views and partitioned tables: what an index can be made on. */
const indexableKinds = 'rmp';

/**
 * Whether the ordered read of a model finds an index that gives its order, and the statement that would make
 * one. On a partitioned table it is the parent's own index that counts: it is valid when all parts have it.
 */
export async function adviseIndex(
  session: Session,
  table: CatalogTable,
  model: SharedTable,
): Promise<Finding[]> {
  if (!indexableKinds.includes(table.kind)) return [];
  const columns = indexColumnsOf(model);
  const [row] = await session.rows<{ is_there: boolean }>(findIndex, [table.oid, columns]);
  if (row?.is_there === true) return [];
  const fix = `create index on ${table.sqlName} (${quoteAll(columns)})`;
  // Who asks for a validation is shown the message alone, so it names the statement too.
  const message =
    `${nameOf(model.relation)} has no index on (${columns.join(', ')}): ` +
    `each read sorts all that remains of the tenant. Run: ${fix};`;
  return [{ name: 'index', status: 'warning', message, fix }];
}

/** The tenant, then the order of reading. A column that stands there already orders nothing more. */
function indexColumnsOf({ tenantColumn, lastModified, key }: SharedTable): string[] {
  return [...new Set([tenantColumn, ...[lastModified, ...key].map((one) => one.nameInSource)])];
}

/**
 * A btree index that begins with the columns $2 in their order, none of them an expression, all of them
 * compared as the reading statement does: with the collation of the column and the order of its type. An
 * index that is descending in all columns after the tenant is read backwards, and serves as well.
 */
const findIndex = /*sql*/ `select exists (
    select from pg_index i
      join pg_class c on c.oid = i.indexrelid
      join pg_am m on m.oid = c.relam and m.amname = 'btree'
    where i.indrelid = $1::oid and i.indisvalid and i.indisready and i.indpred is null
      and i.indnkeyatts >= cardinality($2::text[]) and i.indoption[1] in (0, 3)
      and not exists (
        select from unnest($2::text[]) with ordinality as wanted (name, place)
        where not exists (
          select from pg_attribute a
            join pg_opclass o on o.oid = i.indclass[(place - 1)::int] and o.opcdefault
          where a.attrelid = i.indrelid and a.attname = wanted.name
            and i.indkey[(place - 1)::int] = a.attnum
            and i.indcollation[(place - 1)::int] = a.attcollation
            and (place = 1 or i.indoption[(place - 1)::int] = i.indoption[1])))) as is_there`;
