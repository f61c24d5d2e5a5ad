import pg from 'pg';

/** One copy of the rows: where they are, which of them count, and their columns under that side's names. */
export interface TableCopy {
  readonly client: pg.Client;
  /** Quoted and qualified. */
  readonly table: string;
  /** In the same order on both sides; the types must print alike. */
  readonly columns: readonly string[];
  readonly key: string;
  /** How keys sort alike on both sides: as numbers, or as the bytes of their text. */
  readonly keyKind: 'number' | 'text';
  /** Only rows with this value in this column. */
  readonly only?: { readonly column: string; readonly value: string };
}

export interface Comparison {
  readonly rows: number;
  /** Keys of rows that are missing on one side or differ, the first hundred of them. */
  readonly differing: readonly string[];
}

interface Group {
  readonly group: string;
  readonly rows: string;
  readonly hash: string;
}

const differingMax = 100;

/**
 * Compares two copies row by row. Each server hashes the text of all rows in key order, a few thousand
 * rows to a hash; where two hashes differ, every row of that group is hashed by itself, so that it can
 * be named.
 */
export async function compareCopies(left: TableCopy, right: TableCopy): Promise<Comparison> {
  const [leftGroups, rightGroups] = await Promise.all([hashGroups(left), hashGroups(right)]);
  const differing: string[] = [];
  for (const group of new Set([...leftGroups.keys(), ...rightGroups.keys()])) {
    if (differing.length >= differingMax) break;
    if (leftGroups.get(group)?.hash === rightGroups.get(group)?.hash) continue;
    const [leftRows, rightRows] = await Promise.all([
      hashRows(left, group),
      hashRows(right, group),
    ]);
    for (const key of new Set([...leftRows.keys(), ...rightRows.keys()])) {
      if (leftRows.get(key) !== rightRows.get(key)) differing.push(key);
    }
  }
  const rows = [...leftGroups.values()].reduce((sum, each) => sum + Number(each.rows), 0);
  return { rows, differing: differing.slice(0, differingMax) };
}

async function hashGroups(copy: TableCopy): Promise<Map<string, Group>> {
  const { group, place, line } = expressions(copy);
  const sql = /*sql*/ `
    select ${group} as "group", count(*) as rows, md5(string_agg(${line}, e'\\n' order by ${place})) as hash
      from ${copy.table} ${condition(copy)}
     group by 1`;
  const { rows } = await query<Group>(copy, sql, []);
  return new Map(rows.map((row) => [row.group, row]));
}

async function hashRows(copy: TableCopy, wanted: string): Promise<Map<string, string>> {
  const { key, group, line } = expressions(copy);
  const [before, last] =
    copy.only === undefined ? ['where', '$1'] : [`${condition(copy)} and`, '$2'];
  const sql = /*sql*/ `select ${key}::text as key, md5(${line}) as hash from ${copy.table} ${before} ${group} = ${last}`;
  const { rows } = await query<{ key: string; hash: string }>(copy, sql, [wanted]);
  return new Map(rows.map((row) => [row.key, row.hash]));
}

/** Neighbours in key order share a group: the rows of a table then come in nearly as they lie on disk. */
function expressions(copy: TableCopy): { key: string; group: string; place: string; line: string } {
  const key = pg.escapeIdentifier(copy.key);
  const line = `row(${copy.columns.map((name) => pg.escapeIdentifier(name)).join(', ')})::text`;
  if (copy.keyKind === 'number') return { key, group: `(${key} >> 12)::text`, place: key, line };
  return { key, group: `left(${key}::text, 2)`, place: `${key}::text collate "C"`, line };
}

function condition({ only }: TableCopy): string {
  return only === undefined ? '' : `where ${pg.escapeIdentifier(only.column)} = $1`;
}

async function query<Row extends pg.QueryResultRow>(
  copy: TableCopy,
  sql: string,
  values: readonly unknown[],
): Promise<pg.QueryResult<Row>> {
  await copy.client.query(/*sql*/ `
    set timezone to 'UTC'; set datestyle to 'ISO, YMD'; set intervalstyle to 'postgres';
    set extra_float_digits to 3; set work_mem to '256MB'`);
  return copy.client.query<Row>(sql, [
    ...(copy.only === undefined ? [] : [copy.only.value]),
    ...values,
  ]);
}
