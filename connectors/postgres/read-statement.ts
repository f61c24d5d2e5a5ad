import { binaryCursorTypes, type BinaryCursorType } from '../../formats/binary-value.ts';
import type { LogicalType } from '../../domain/data-type.ts';
import { Failure } from '../../domain/failure.ts';
import type { Encoding } from '../../domain/load.ts';
import type { SharedColumn } from '../../domain/model.ts';
import { must } from '../../lib/must.ts';
import type { Batch, ReadRequest, Tenant, UnstampedRows } from '../connector.ts';
import { checkedColumn, columnOf, type CatalogTable } from './catalog.ts';
import { quote, setting } from './sql.ts';
import { formatOf, isResumable, readExpression } from './type-table.ts';

/** The statement of one read, and the settings that its conditions look at. */
export interface ReadStatement {
  readonly query: string;
  readonly copy: string;
  readonly settings: ReadonlyMap<string, string>;
  /**
   * Fails where the tenant id is no value of the tenant column's type; `is_exact` says whether the type
   * would write it so, in the length and with the decimals that the column has.
   */
  readonly tenantCast: string;
}

/** The types in which key and last-modified value travel in binary, where we can read them. */
const binaryCursorTypesOf: Partial<Record<LogicalType, BinaryCursorType>> = {
  string: 'text',
  integer: 'int4',
  bigint: 'int8',
  timestamp: 'timestamptz',
  date: 'date',
};

export function binaryCursorTypeOf(column: SharedColumn): BinaryCursorType {
  return must(binaryCursorTypesOf[column.type], 'a cursor column that can be read from binary');
}

/** Encodings in which all columns of the model can be read, the fastest first. */
export function readableEncodings(
  table: CatalogTable,
  model: {
    columns: readonly SharedColumn[];
    key: readonly SharedColumn[];
    lastModified: SharedColumn;
  },
): Encoding[] {
  const hasCursor = [model.lastModified, ...model.key].every((column) => {
    const type = binaryCursorTypesOf[column.type];
    return type !== undefined && binaryCursorTypes.includes(type);
  });
  const hasAll = model.columns.every((column) => {
    const { read } = checkedColumn(table, column);
    return readExpression(read, column.type, { format: 'binary', column: 'x' }) !== undefined;
  });
  const text: Encoding[] = ['copy_text_messages', 'copy_text'];
  return hasCursor && hasAll ? ['copy_binary_messages', ...text] : text;
}

/**
 * Every read of rows goes through here, so none can be without its tenant. Values travel as settings:
 * nothing but names out of the catalog, and the query of a model that has one, is put into the text.
 */
export function buildRead(table: CatalogTable, request: ReadRequest): ReadStatement {
  const settings = new Map<string, string>();
  const format = formatOf(request.encoding);
  const selected = request.columns.map((column) => {
    const { read } = checkedColumn(table, column);
    const reference = `q.${quote(column.nameInSource)}`;
    return must(
      readExpression(read, column.type, { format, column: reference }),
      'an encoding that was offered',
    );
  });
  const conditions = [
    ...tenantConditions(table, request.tenant, settings),
    ...windowConditions(table, request, settings),
  ];
  const order = [request.lastModified, ...request.key].map(
    (column) => `q.${quote(column.nameInSource)}`,
  );
  const query =
    /*sql*/ `select ${selected.join(', ')} from ${table.sqlName} q ` +
    `where ${conditions.join(' and ')} order by ${order.join(', ')}`;
  const tenantCast = tenantCastOf(table, request.tenant);
  const copy = /*sql*/ `copy (${query}) to stdout (format ${format})`;
  return { query, copy, settings, tenantCast };
}

/** How many rows of the tenant have no last-modified value, with the same filter as every read. */
export function buildCount(
  table: CatalogTable,
  { tenant, lastModified, max }: UnstampedRows,
): Omit<ReadStatement, 'copy'> {
  const settings = new Map<string, string>();
  const isUnstamped = `q.${quote(lastModified.nameInSource)} is null`;
  const conditions = [...tenantConditions(table, tenant, settings), isUnstamped];
  const some = /*sql*/ `select from ${table.sqlName} q where ${conditions.join(' and ')} limit ${max}`;
  const query = /*sql*/ `select count(*)::integer as rows from (${some}) s`;
  return { query, settings, tenantCast: tenantCastOf(table, tenant) };
}

/** A query that names the tenant itself may yield no column to compare it with. */
function filtersItself(table: CatalogTable, { column }: Tenant): boolean {
  return table.namesTenant === true && table.columns.every(({ name }) => name !== column);
}

export function tenantCastOf(table: CatalogTable, tenant: Tenant): string {
  if (filtersItself(table, tenant)) return /*sql*/ `select true as is_exact`;
  const { declared } = columnOf(table, tenant.column).read;
  return /*sql*/ `select ${isTenant(`(${setting('tenant')}::${declared})`)} as is_exact`;
}

/**
 * The tenant is compared twice: in the column's own type, so that an index on it serves, and as text by
 * bytes, so that neither a lenient type nor a collation can take two tenants for one. After a transaction
 * a setting reads as empty: that must never match.
 */
export function tenantConditions(
  table: CatalogTable,
  tenant: Tenant,
  settings: Map<string, string>,
): string[] {
  checkTenantId(tenant.id);
  if (filtersItself(table, tenant)) return [];
  const { read, name } = columnOf(table, tenant.column);
  settings.set('tenant', tenant.id);
  const column = `q.${quote(name)}`;
  return [
    `${column} = ${setting('tenant')}::${read.cast}`,
    isTenant(column),
    `${setting('tenant')} operator(pg_catalog.<>) ''`,
  ];
}

/**
 * By bytes. Every name is qualified: a search path must not put other comparisons in place of these. The
 * setting stands in a subquery, which is evaluated once and not for each row.
 */
function isTenant(value: string): string {
  const exact = (text: string) => `${text} collate pg_catalog."C"`;
  const id = exact(`(select ${setting('tenant')})`);
  return `${exact(`${value}::pg_catalog.text`)} operator(pg_catalog.=) ${id}`;
}

/** What a database cannot tell apart from another text must not get there. */
function checkTenantId(id: string): void {
  if (id !== '' && !id.includes('\0') && id.isWellFormed()) return;
  const sentence =
    'The id_in_provider_system of the recipient is empty or holds a character that no database can store.';
  throw new Failure('source_mismatch', sentence, { code: 'CONF' });
}

export function windowConditions(
  table: CatalogTable,
  request: Pick<ReadRequest, 'window' | 'resumeAfter' | 'lastModified' | 'key'>,
  settings: Map<string, string>,
): string[] {
  const { window, resumeAfter, lastModified } = request;
  const { read } = checkedColumn(table, lastModified);
  const instant = instantReader(read.base, lastModified);
  const column = `q.${quote(lastModified.nameInSource)}`;
  const conditions = [`${column} is not null`];
  if (window.upTo !== undefined) {
    settings.set('up_to', window.upTo);
    conditions.push(`${column} < ${instant('up_to')}`);
  }
  if (resumeAfter !== undefined) {
    conditions.push(resumeCondition(table, { ...request, resumeAfter }, { settings, instant }));
  } else if (window.after !== undefined) {
    settings.set('after', window.after);
    conditions.push(`${column} >= ${instant('after')}`);
  }
  return conditions;
}

function resumeCondition(
  table: CatalogTable,
  {
    resumeAfter,
    key,
    lastModified,
  }: Pick<ReadRequest, 'key' | 'lastModified'> & { resumeAfter: Batch['cursor'] },
  { settings, instant }: { settings: Map<string, string>; instant: (name: string) => string },
): string {
  settings.set('after', resumeAfter.lastModified);
  const columns = [`q.${quote(lastModified.nameInSource)}`];
  const values = [instant('after')];
  for (const [index, column] of key.entries()) {
    const { read } = checkedColumn(table, column);
    checkKeyColumn(column, isResumable(read, column.type));
    settings.set(`key_${index}`, must(resumeAfter.key[index], 'a key value of the cursor'));
    columns.push(`q.${quote(column.nameInSource)}`);
    values.push(`${setting(`key_${index}`)}::${read.cast}`);
  }
  return `(${columns.join(', ')}) > (${values.join(', ')})`;
}

/** @throws Failure where a type that has no order, or no exact text, is part of the key */
function checkKeyColumn(column: SharedColumn, isUsable: boolean): void {
  if (isUsable) return;
  const sentence = `Column ${column.nameInSource} cannot be part of a key: no read can resume after it.`;
  throw new Failure('source_mismatch', sentence, { code: 'KEYS' });
}

/** A bound as the column's type has it. Zoneless values and dates count as UTC. */
function instantReader(base: string, column: SharedColumn): (name: string) => string {
  const isInstant = column.type === 'timestamp' || column.type === 'date';
  if (isInstant && base === 'timestamptz') return (name) => `${setting(name)}::timestamptz`;
  if (isInstant && (base === 'timestamp' || base === 'date')) {
    return (name) => `(${setting(name)}::timestamptz at time zone 'UTC')`;
  }
  const sentence = `Last-modified column ${column.nameInSource} has to be declared as a timestamp or a date.`;
  throw new Failure('source_mismatch', sentence, { code: 'LMOD' });
}
