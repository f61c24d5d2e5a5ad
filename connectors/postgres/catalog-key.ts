import type { Session } from './session.ts';

/** What a model can be proposed from beside the types of columns. */
export interface KeyAndComment {
  readonly comment?: string;
  readonly keyPlace?: number;
}

/** By name of the column, those that have either; none of a query. */
export async function readKeyAndComments(
  session: Session,
  oid: string,
): Promise<Map<string, KeyAndComment>> {
  const rows = await session.rows<{
    name: string;
    comment: string | null;
    place: number | null;
  }>(/*sql*/ findKeyAndComments, [oid]);
  return new Map(
    rows.map(({ name, comment, place }) => [
      name,
      { ...(comment !== null && { comment }), ...(place !== null && { keyPlace: place }) },
    ]),
  );
}

/** The primary key, or else the shortest unique one of columns that are never null. */
const findKeyAndComments = /*sql*/ `with key as (
    select i.indkey, i.indnkeyatts from pg_index i
    where i.indrelid = $1::oid and i.indisunique and i.indisvalid
      and i.indpred is null and i.indexprs is null
      and not exists (
        select from generate_series(0, i.indnkeyatts - 1) as place
          join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[place]
        where not a.attnotnull)
    order by i.indisprimary desc, i.indnkeyatts, i.indexrelid limit 1)
  select a.attname as name, col_description(a.attrelid, a.attnum) as comment,
    (select place + 1 from key, generate_series(0, key.indnkeyatts - 1) as place
      where key.indkey[place] = a.attnum limit 1)::int as place
  from pg_attribute a where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped`;
