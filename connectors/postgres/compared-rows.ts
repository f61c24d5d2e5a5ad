import type { ComparedRow, RangeDigest, RowMark } from '../../domain/integrity.ts';
import { compareInstants } from '../../domain/instant.ts';
import type { InstantText } from '../../domain/instant.ts';
import type { Window } from '../../domain/load.ts';
import type { SharedColumn, SharedTable } from '../../domain/model.ts';
import { must } from '../../lib/must.ts';
import type { ComparedRows, ListRequest, Tenant } from '../connector.ts';
import { checkedColumn, type CatalogTable } from './catalog.ts';
import type { LazySession } from './lazy-session.ts';
import { beginRead, checkTenant } from './read.ts';
import { tenantCastOf, tenantConditions, type ReadStatement } from './read-statement.ts';
import { qualified, quote } from './sql.ts';
import { landedTypes, readExpression } from './type-table.ts';
import { lookupSettings } from './writing.ts';

/** The rows of one model as one end has them, as parts of statements over the alias `q`. */
interface Rows {
  readonly from: string;
  readonly conditions: readonly string[];
  /** Of a source: what the conditions look at, and whether the tenant is a value of its column. */
  readonly tenant?: Pick<ReadStatement, 'settings' | 'tenantCast'>;
  readonly lastModified: string;
  readonly key: readonly KeyColumn[];
  /** All compared columns in wire order, such that both ends print a value alike. */
  readonly columns: readonly string[];
}

interface KeyColumn {
  /** As it stands in the table, for its index. */
  readonly name: string;
  readonly cast: string;
  readonly shown: string;
}

/** The tenant's rows, read as a transfer would read them. */
export function sourceRows(table: CatalogTable, model: SharedTable, tenant: Tenant): Rows {
  const settings = new Map<string, string>();
  const shown = ({ nameInSource, ...column }: SharedColumn) => {
    const { read } = checkedColumn(table, { nameInSource, ...column });
    const as = { format: 'text', column: `q.${quote(nameInSource)}` } as const;
    return canonical(must(readExpression(read, column.type, as), 'a way to read'), column.type);
  };
  return {
    from: `${table.sqlName} q`,
    conditions: tenantConditions(table, tenant, settings),
    tenant: { settings, tenantCast: tenantCastOf(table, tenant) },
    lastModified: `(${shown(model.lastModified)})::pg_catalog.timestamptz`,
    key: model.key.map((column) => ({
      name: `q.${quote(column.nameInSource)}`,
      cast: checkedColumn(table, column).read.cast,
      shown: shown(column),
    })),
    columns: model.columns.map(shown),
  };
}

export function landedRows(schema: string, model: SharedTable): Rows {
  const name = ({ nameInDestination }: SharedColumn) => `q.${quote(nameInDestination)}`;
  return {
    from: `${qualified(schema, model.destinationTable)} q`,
    conditions: [],
    lastModified: `${name(model.lastModified)}::pg_catalog.timestamptz`,
    key: model.key.map((column) => ({
      name: name(column),
      cast: landedTypes[column.type],
      shown: name(column),
    })),
    columns: model.columns.map((column) => canonical(name(column), column.type)),
  };
}

/** JSON lands as jsonb, which spells it in its own way. */
function canonical(expression: string, type: SharedColumn['type']): string {
  return type === 'json' || type === 'array' ? `(${expression})::pg_catalog.jsonb` : expression;
}

/**
 * By the output functions of the types, as COPY prints them: a cast to text would drop the padding of
 * char(n). The text of a row tells null from the empty text. In bytes of UTF-8, whatever the database stores.
 */
function hashOf(values: readonly string[]): string {
  const text = `row(${values.join(', ')})::pg_catalog.text`;
  return `pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(${text}, 'UTF8')), 'hex')`;
}

/** The first bits of a hash as a number. */
function numberOf(hash: string, digits: 7 | 16): string {
  return `('x' || pg_catalog.left(${hash}, ${digits}))::bit(${digits * 4})::bigint`;
}

const settings = ['set local jit = off'];

/** What one end answers when the two are held against each other. */
export class PostgresComparedRows implements ComparedRows {
  private readonly session: LazySession;
  private readonly rows: Rows;

  constructor(session: LazySession, rows: Rows) {
    this.session = session;
    this.rows = rows;
  }

  async digest(windows: readonly Window[], signal: AbortSignal): Promise<RangeDigest[]> {
    const { bounds, buckets } = bucketsOf(windows);
    const { lastModified, columns } = this.rows;
    const bucket = bucketExpression(lastModified);
    const finite = `filter (where pg_catalog.isfinite(${lastModified}))`;
    const found = await this.query<DigestRow>(
      /*sql*/ `select ${bucket} as bucket, count(*)::text as rows,
          sum(${numberOf(hashOf(columns), 16)})::text as hash,
          min(${lastModified}) ${finite} as least, max(${lastModified}) ${finite} as greatest
        from ${this.from(windows)} and ${bucket} = any($2::int[]) group by 1`,
      [bounds, buckets],
      { signal, settings },
    );
    const byBucket = new Map(found.map((row) => [row.bucket, row]));
    return buckets.map((one) => digestOf(byBucket.get(one)));
  }

  async list({ windows, share }: ListRequest, signal: AbortSignal): Promise<RowMark[]> {
    const { bounds, buckets } = bucketsOf(windows);
    const { lastModified, columns, key } = this.rows;
    const chosen = `${numberOf(hashOf(key.map(({ shown }) => shown)), 7)} % $3::bigint = 0`;
    return await this.query<RowMark>(
      /*sql*/ `select ${this.keyText()} as key, ${hashOf(columns)} as hash from ${this.from(windows)}
        and ${bucketExpression(lastModified)} = any($2::int[]) and ${chosen}`,
      [bounds, buckets, share],
      { signal, settings },
    );
  }

  async find(keys: readonly (readonly string[])[], signal: AbortSignal): Promise<ComparedRow[]> {
    const { key, columns, lastModified, from } = this.rows;
    const { list, isListed } = keyList(key);
    return await this.query<ComparedRow>(
      /*sql*/ `select ${this.keyText()} as key, ${hashOf(columns)} as hash, ${lastModified} as "lastModified"
        from ${list} join ${from} on ${isListed} where ${this.conditions().join(' and ')}`,
      keyArrays(keys, key.length),
      { signal, settings: [...settings, ...lookupSettings] },
    );
  }

  private keyText(): string {
    return `array[${this.rows.key.map(({ shown }) => `pg_catalog.format('%s', ${shown})`).join(', ')}]`;
  }

  private conditions(): string[] {
    return [`${this.rows.lastModified} is not null`, ...this.rows.conditions];
  }

  /** The rows between the first window and the last: at a source the index finds them. */
  private from(windows: readonly Window[]): string {
    const hull = [];
    if (windows[0]?.after !== undefined)
      hull.push(`${this.rows.lastModified} >= ($1::timestamptz[])[1]`);
    if (windows.at(-1)?.upTo !== undefined) {
      const last = 'pg_catalog.cardinality($1::timestamptz[])';
      hull.push(`${this.rows.lastModified} < ($1::timestamptz[])[${last}]`);
    }
    return `${this.rows.from} where ${[...this.conditions(), ...hull].join(' and ')}`;
  }

  private async query<Row extends object>(
    text: string,
    values: readonly unknown[],
    how: { signal: AbortSignal; settings: readonly string[] },
  ): Promise<Row[]> {
    const session = await this.session.get();
    using _ = session.stopOn(how.signal);
    const { tenant } = this.rows;
    const work = async () => {
      if (tenant !== undefined) await checkTenant(session, tenant);
      return await session.rows<Row>(text, values);
    };
    return await session.transaction(work, { begin: beginRead, settings: how.settings });
  }
}

/** Deletes rows by their keys and, as the last parameter, the hashes that they still have to have. */
export function removeStatement({ from, key, columns }: Rows): string {
  const { list, isListed } = keyList(key, ['hash']);
  return /*sql*/ `delete from ${from} using ${list} where ${isListed} and ${hashOf(columns)} = w.hash`;
}

/** Keys as a list of parameters, an array for each of their columns and for each of `more`. */
function keyList(key: readonly KeyColumn[], more: readonly string[] = []) {
  const names = [...key.map((_, index) => `k${index}`), ...more];
  const arrays = names.map((_, index) => `$${index + 1}::text[]`);
  const isListed = key.map(({ name, cast }, index) => `${name} = w.k${index}::${cast}`);
  return {
    list: `unnest(${arrays.join(', ')}) as w (${names.join(', ')})`,
    isListed: isListed.join(' and '),
  };
}

/** The parameters for such a list of keys that have so many columns. */
export function keyArrays(keys: readonly (readonly string[])[], columns: number): string[][] {
  return Array.from({ length: columns }, (_, index) =>
    keys.map((key) => must(key[index], 'a key value')),
  );
}

interface DigestRow {
  readonly bucket: number;
  readonly rows: string;
  readonly hash: string;
  readonly least: InstantText | null;
  readonly greatest: InstantText | null;
}

function digestOf(row: DigestRow | undefined): RangeDigest {
  return {
    rows: Number(row?.rows ?? 0),
    hash: row?.hash ?? '0',
    least: row?.least ?? undefined,
    greatest: row?.greatest ?? undefined,
  };
}

/** The number of bounds at or below a value: all values of one window, and of no other, have the same. */
function bucketExpression(lastModified: string): string {
  return `pg_catalog.width_bucket(${lastModified}, $1::timestamptz[])`;
}

/** The bounds of all windows in order, and which bucket between them each window is. */
export function bucketsOf(windows: readonly Window[]): {
  bounds: InstantText[];
  buckets: number[];
} {
  const all = windows
    .flatMap(({ after, upTo }) => [after, upTo])
    .filter((one) => one !== undefined);
  const bounds = [...new Set(all)].toSorted(compareInstants);
  const place = new Map(bounds.map((bound, index) => [bound, index + 1]));
  const buckets = windows.map(({ after }) =>
    after === undefined ? 0 : must(place.get(after), 'a bound of a window'),
  );
  return { bounds, buckets };
}
