import { laterColumns, tableShapes, type TableShape } from './shapes.ts';
import { runStatements } from './run-statements.ts';
import { landedSchema, type Recipient, type Shipments } from './shipments.ts';

/** What is wrong at a destination, in sentences; nothing where it is as it ought to be. */
export interface Comparison {
  readonly rows: number;
  readonly differences: readonly string[];
}

export interface CompareOptions {
  /** Rows that are gone from the source are not at the destination either: true after a full refresh. */
  readonly isExact: boolean;
}

interface RowHash {
  readonly key: string;
  readonly hash: string;
  readonly whose: string;
}

const namedMax = 5;

/** Every row and column of every table of a recipient. */
export async function compare(
  shipments: Shipments,
  recipient: Recipient,
  options: CompareOptions,
): Promise<Comparison> {
  const parts: Comparison[] = [];
  for (const shape of tableShapes)
    parts.push(await compareTable(shipments, recipient, { ...options, shape }));
  return {
    rows: parts.reduce((sum, { rows }) => sum + rows, 0),
    differences: [
      ...parts.flatMap(({ differences }) => differences),
      ...(await findLeftovers(recipient)),
    ],
  };
}

async function compareTable(
  { vendorUrl, columnsAdded }: Shipments,
  { tenant, url }: Recipient,
  { shape, isExact }: CompareOptions & { shape: TableShape },
): Promise<Comparison> {
  const { table } = shape;
  const columns = [
    ...shape.columns.map(({ name }) => name),
    ...laterColumns.slice(0, columnsAdded[table]),
  ];
  const selected = hashOfRows(shape, columns);
  const source = await runStatements<RowHash>(
    vendorUrl,
    [/*sql*/ `select ${selected} from ${table} where tenant = $1`],
    [tenant],
  );
  const [there] = await runStatements<{ isThere: boolean }>(
    url,
    [/*sql*/ `select to_regclass($1) is not null as "isThere"`],
    [`${landedSchema}.${table}`],
  );
  const landed =
    there?.isThere === true
      ? await runStatements<RowHash>(url, [
          /*sql*/ `select ${selected} from ${landedSchema}.${table}`,
        ])
      : [];
  const place = `${tenant}.${table}`;
  return { rows: source.length, differences: diff(source, landed, { tenant, place, isExact }) };
}

function hashOfRows({ key }: TableShape, columns: readonly string[]): string {
  return `row(${key.join(', ')})::text as key, md5(row(${columns.join(', ')})::text) as hash, whose`;
}

/** The same key twice, a row of somebody else, and each row that is missing, different or too many. */
export function diff(
  source: readonly RowHash[],
  landed: readonly RowHash[],
  { tenant, place, isExact }: CompareOptions & { tenant: string; place: string },
): string[] {
  const hashes = new Map(landed.map(({ key, hash }) => [key, hash]));
  const wanted = new Set(source.map(({ key }) => key));
  const list = (what: string, rows: readonly RowHash[]) =>
    rows.length === 0
      ? []
      : [
          `${place}: ${rows.length} ${what}, such as ${rows
            .slice(0, namedMax)
            .map(({ key }) => key)
            .join(' ')}`,
        ];
  const seen = new Set<string>();
  const doubled = landed.filter(({ key }) => seen.size === seen.add(key).size);
  return [
    ...list(
      'rows are missing',
      source.filter(({ key }) => !hashes.has(key)),
    ),
    ...list(
      'rows differ',
      source.filter(({ key, hash }) => hashes.has(key) && hashes.get(key) !== hash),
    ),
    ...list('keys are there twice', doubled),
    ...list(
      'rows belong to somebody else',
      landed.filter(({ whose }) => whose !== tenant),
    ),
    ...list(
      'rows are gone from the source',
      isExact ? landed.filter(({ key }) => !wanted.has(key)) : [],
    ),
  ];
}

/** Relations that Waybill made and ought to have removed, temporary ones included. */
async function findLeftovers({ tenant, url }: Recipient): Promise<string[]> {
  const ours = [...tableShapes.map(({ table }) => table), '_transfer_status', '_waybill_load'];
  const rows = await runStatements<{ name: string }>(
    url,
    [
      /*sql*/ `select c.oid::regclass::text as name
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'v', 'm', 'S', 'p')
          and n.nspname !~ '^(pg_catalog|pg_toast.*|information_schema|audit)$'
          and not (n.nspname = $1 and c.relname = any ($2))`,
    ],
    [landedSchema, ours],
  );
  return rows.map(({ name }) => `${tenant}: ${name} is left over`);
}
