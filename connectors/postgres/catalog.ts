import { Failure } from '../../domain/failure.ts';
import type { Relation, SharedColumn } from '../../domain/model.ts';
import type { SourceColumn } from '../connector.ts';
import { hiddenRows } from './missing-right.ts';
import type { Session } from './session.ts';
import { qualified } from './sql.ts';
import { fitsOf, type SourceType } from './type-table.ts';

export interface CatalogColumn extends SourceColumn {
  readonly read: SourceType;
}

/** A table of the source as its catalog has it. */
export interface CatalogTable {
  readonly oid: string;
  /** As it may stand in a statement, behind `from` and before an alias. */
  readonly sqlName: string;
  /** Of a query: whether it names the tenant itself, so that its result need not have the column. */
  readonly namesTenant?: boolean;
  /** `pg_class.relkind`: r is a plain table; `query` where it is none of them. */
  readonly kind: string;
  readonly columns: readonly CatalogColumn[];
}

/** @throws Failure `source_mismatch` (code MISS) where there is no such table; `source_denied` */
export async function findTable(session: Session, relation: Relation): Promise<CatalogTable> {
  const named =
    relation.schema === undefined ? 'quote_ident($1)' : `quote_ident($2) || '.' || quote_ident($1)`;
  const values =
    relation.schema === undefined ? [relation.table] : [relation.table, relation.schema];
  const [found] = await session.rows<{
    oid: string;
    kind: string;
    schema: string;
    name: string;
    is_hidden: boolean;
  }>(
    /*sql*/ `select c.oid::text, c.relkind as kind, n.nspname as schema, c.relname as name,
        row_security_active(c.oid) and not exists (select from pg_policy p
          where p.polrelid = c.oid and p.polpermissive and p.polcmd in ('*', 'r')
            and exists (select from unnest(p.polroles) as r(oid)
              where r.oid = 0 or pg_has_role(r.oid, 'usage'))) as is_hidden
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.oid = to_regclass(${named})`,
    values,
  );
  if (found === undefined || !'rpmvf'.includes(found.kind)) {
    throw new Failure('source_mismatch', `There is no table ${nameOf(relation)} at the source.`, {
      code: 'MISS',
    });
  }
  // Nothing of it can be seen, which would pass for a tenant without rows.
  if (found.is_hidden) throw new Failure('source_denied', `${hiddenRows(found.name, 'source')}.`);
  const columns = await readColumns(session, found.oid);
  return {
    oid: found.oid,
    sqlName: qualified(found.schema, found.name),
    kind: found.kind,
    columns,
  };
}

export function nameOf(relation: Relation): string {
  return relation.schema === undefined ? relation.table : `${relation.schema}.${relation.table}`;
}

export interface TypeRow {
  readonly cast: string;
  readonly declared: string;
  readonly base: string;
  readonly modifier: number;
  readonly typtype: string;
  readonly category: string;
  readonly built_in: boolean;
}

interface ColumnRow extends TypeRow {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
}

async function readColumns(session: Session, oid: string): Promise<CatalogColumn[]> {
  const rows = await session.rows<ColumnRow>(
    /*sql*/ `with recursive chain as (
        select a.attnum, a.attname, a.attnotnull, format_type(a.atttypid, a.atttypmod) as shown,
          a.atttypid as base, a.atttypmod as modifier
        from pg_attribute a where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped
        union all
        select c.attnum, c.attname, c.attnotnull, c.shown, t.typbasetype, t.typtypmod
        from chain c join pg_type t on t.oid = c.base and t.typtype = 'd')
      select c.attname as name, c.shown as type, not c.attnotnull as nullable,
        format_type(c.base, -1) as cast, format_type(c.base, c.modifier) as declared,
        t.typname as base, c.modifier,
        t.typtype, t.typcategory as category, n.nspname = 'pg_catalog' as built_in
      from chain c join pg_type t on t.oid = c.base join pg_namespace n on n.oid = t.typnamespace
      where t.typtype <> 'd' order by c.attnum`,
    [oid],
  );
  return rows.map((row) => {
    const read = sourceTypeOf(row);
    return { name: row.name, type: row.type, nullable: row.nullable, fits: fitsOf(read), read };
  });
}

/** Extensions whose types we know by name, wherever they are installed. */
const knownExtensionTypes: readonly string[] = ['citext'];

export function sourceTypeOf(row: TypeRow): SourceType {
  const kind = kindOf(row);
  const isKnown =
    kind === 'built_in' || (kind === 'other' && knownExtensionTypes.includes(row.base));
  const { cast, declared, modifier } = row;
  return { cast, declared, base: isKnown ? row.base : '', kind, modifier };
}

function kindOf(row: TypeRow): SourceType['kind'] {
  if (row.typtype === 'e') return 'enum';
  if (row.typtype === 'c') return 'composite';
  if (row.category === 'A') return 'array';
  return row.built_in ? 'built_in' : 'other';
}

/** @throws Failure `source_mismatch` naming the column that the table lacks */
export function columnOf(table: CatalogTable, name: string): CatalogColumn {
  const column = table.columns.find((one) => one.name === name);
  if (column !== undefined) return column;
  throw new Failure('source_mismatch', `The source table has no column ${name}.`, { code: 'MISS' });
}

/** @throws Failure `source_mismatch` where the column is there and cannot be what the model says */
export function checkedColumn(table: CatalogTable, column: SharedColumn): CatalogColumn {
  const found = columnOf(table, column.nameInSource);
  if (found.fits.includes(column.type)) return found;
  throw new Failure(
    'source_mismatch',
    `Column ${found.name} of the source is ${found.type}; ` +
      `it can be declared as ${found.fits.join(', ')}, not as ${column.type}.`,
    { code: 'TYPE' },
  );
}
