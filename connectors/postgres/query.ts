import { Failure } from '../../domain/failure.ts';
import type { SourceQuery } from '../../domain/model.ts';
import { must } from '../../lib/must.ts';
import { sourceTypeOf, type CatalogColumn, type CatalogTable, type TypeRow } from './catalog.ts';
import type { Session } from './session.ts';
import { fitsOf } from './type-table.ts';

/**
 * Columns and types of a query, asked of the server without reading a row. The server tells a domain as its
 * base type, and nothing of nulls.
 */
export async function describeQuery(session: Session, query: SourceQuery): Promise<CatalogTable> {
  const sqlName = framed(query.sql);
  const fields = await session.transaction(
    async () => {
      const [result] = await session.script([/*sql*/ `select * from ${sqlName} q limit 0`]);
      return must(result, 'the result of a query').fields;
    },
    { begin: 'begin read only' },
  );
  const names = fields.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    const sentence = `source_query has two columns named ${twice}. Name each column once.`;
    throw new Failure('source_mismatch', sentence, { code: 'CONF' });
  }
  const types = await readTypes(session, fields);
  const columns = fields.map(({ name }, index): CatalogColumn => {
    const row = must(types[index], 'a type of the catalog');
    const read = sourceTypeOf(row);
    return { name, type: row.declared, nullable: true, fits: fitsOf(read), read };
  });
  const { namesTenant } = query;
  return { oid: '0', sqlName, kind: 'query', columns, namesTenant };
}

/** The line breaks keep a comment at the end of a query from what follows it. */
export function framed(sql: string): string {
  return `(\n${sql}\n)`;
}

function readTypes(
  session: Session,
  fields: readonly { dataTypeID: number; dataTypeModifier: number }[],
): Promise<TypeRow[]> {
  return session.rows<TypeRow>(
    /*sql*/ `select format_type(t.oid, -1) as cast, format_type(t.oid, f.modifier) as declared,
        t.typname as base, f.modifier, t.typtype, t.typcategory as category,
        n.nspname = 'pg_catalog' as built_in
      from unnest($1::oid[], $2::int[]) with ordinality as f (oid, modifier, place)
        join pg_type t on t.oid = f.oid join pg_namespace n on n.oid = t.typnamespace
      order by f.place`,
    [fields.map((one) => one.dataTypeID), fields.map((one) => one.dataTypeModifier)],
  );
}
