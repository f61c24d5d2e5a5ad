import { shapes, type Shape } from './plan.ts';

// The two tables of the vendor: one plain, one whose key and values are hard to carry. Every row says in
// `whose` to which tenant it belongs, so that one at the wrong destination is seen there.

interface ColumnOf {
  readonly name: string;
  readonly type: string;
  readonly logical: string;
  readonly role?: 'key' | 'last_modified';
}

export interface TableShape {
  readonly table: Shape;
  readonly columns: readonly ColumnOf[];
  readonly key: readonly string[];
}

const column = (
  name: string,
  type: string,
  logical: string,
  role?: ColumnOf['role'],
): ColumnOf => ({ name, type, logical, ...(role === undefined ? {} : { role }) });

const columnsOf: Readonly<Record<Shape, readonly ColumnOf[]>> = {
  orders: [
    column('id', 'bigint', 'bigint', 'key'),
    column('whose', 'text', 'string'),
    column('amount', 'numeric(38, 10)', 'decimal'),
    column('note', 'text', 'string'),
    column('is_paid', 'boolean', 'boolean'),
    column('version', 'integer', 'integer'),
    column('changed_at', 'timestamptz', 'timestamp', 'last_modified'),
  ],
  events: [
    column('place', 'text', 'string', 'key'),
    column('nr', 'numeric', 'decimal', 'key'),
    column('day', 'date', 'date', 'key'),
    column('whose', 'text', 'string'),
    column('measure', 'double precision', 'float'),
    column('body', 'jsonb', 'json'),
    column('raw', 'bytea', 'bytes'),
    column('happened_at', 'timestamptz', 'timestamp'),
    column('version', 'integer', 'integer'),
    column('changed_at', 'timestamptz', 'timestamp', 'last_modified'),
  ],
};

/** Columns that the vendor's table has and the model gets one by one while the campaign runs. */
export const laterColumns = Array.from({ length: 12 }, (_, index) => `extra_${index + 1}`);

export const tableShapes: readonly TableShape[] = shapes.map((table) => {
  const columns = columnsOf[table];
  const key = columns.filter(({ role }) => role === 'key').map(({ name }) => name);
  return { table, columns, key };
});

export function shapeOf(table: Shape): TableShape {
  return tableShapes.find((shape) => shape.table === table) as TableShape;
}

/** The table, and the index that ordered reading needs. */
export function createTable({ table, columns, key }: TableShape): string {
  const all = [
    ...columns.map(({ name, type }) => `${name} ${type}`),
    ...laterColumns.map((name) => `${name} text`),
  ].join(', ');
  return /*sql*/ `
    create table ${table} (tenant text not null, ${all}, primary key (${key.join(', ')}));
    create index on ${table} (tenant, changed_at, ${key.join(', ')})`;
}

/** The columns as a model has them, so many of the later ones included. */
export function modelColumns({ columns }: TableShape, later: number): object[] {
  const first = columns.map(({ name, logical, role }) => ({
    name_in_source: name,
    name_in_destination: name,
    data_type: logical,
    ...(role === 'key' ? { is_primary_key: true } : {}),
    ...(role === 'last_modified' ? { is_last_modified: true } : {}),
  }));
  const added = laterColumns
    .slice(0, later)
    .map((name) => ({ name_in_source: name, name_in_destination: name, data_type: 'string' }));
  return [...first, ...added];
}

/**
 * Rows for the numbers from $2 to $3 of tenant $1, stamped by $4 as SQL has it. The values hold what
 * breaks formats: quotes, tabs, backslashes, empty text beside null, NaN, decimals of 28 digits.
 */
export function insertRows(table: Shape, stamp: string): string {
  if (table === 'orders') {
    return /*sql*/ `insert into orders (tenant, id, whose, amount, note, is_paid, version, changed_at)
      select $1, n, $1, n * 1234567890123456.0000000001,
        case n % 5 when 0 then null when 1 then '' when 2 then E'tab\\t line\\n back\\\\slash \\\\N ' || n
          when 3 then '{"a,b''c"}' || n else 'Zoë 🜁 ' || n end,
        case n % 3 when 0 then null else n % 2 = 0 end, 0, ${stamp}
      from generate_series($2::bigint, $3::bigint) n`;
  }
  return /*sql*/ `insert into events
      (tenant, place, nr, day, whose, measure, body, raw, happened_at, version, changed_at)
    select $1, $1 || (array['', ' "q"', E'\\t', ' \\\\N', ' ü', ', {x}'])[n % 6 + 1], n / 8.0, date '2024-02-28' + (n % 900)::int,
      $1, case n % 7 when 0 then 'NaN' when 1 then '-Infinity' when 2 then 1e-300 else n / 3.0 end,
      case n % 4 when 0 then null else jsonb_build_object('n', n, 'list', array[1.10, n], 'text', E'\\n"\\\\') end,
      decode(md5(n::text), 'hex'), timestamptz '1969-12-31 23:59:59.999999+00' + n * interval '1 day', 0, ${stamp}
    from generate_series($2::bigint, $3::bigint) n`;
}

/** The rows that a choice hits: a run of neighbours in the key, somewhere. */
export function chosenRows({ table, key }: TableShape): string {
  const list = key.join(', ');
  return /*sql*/ `(${list}) in (select ${list} from ${table} where tenant = $1
    order by ${list} offset floor($3::float8 * (select count(*) from ${table} where tenant = $1)) limit $2)`;
}
