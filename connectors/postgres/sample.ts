import { Failure } from '../../domain/failure.ts';
import type { SharedColumn } from '../../domain/model.ts';
import { sampleRowsMax, sampleSecondsMax } from '../../domain/source-rules.ts';
import { must } from '../../lib/must.ts';
import type { Sample, SampleAsk } from '../connector.ts';
import { checkedColumn, type CatalogTable } from './catalog.ts';
import { sqlStateOf } from './failures.ts';
import { beginRead, checkTenant } from './read.ts';
import { tenantCastOf, tenantConditions, windowConditions } from './read-statement.ts';
import type { Session } from './session.ts';
import { quote } from './sql.ts';
import { landedTypes, readExpression } from './type-table.ts';

/** Where to look for rows. Each statement of a sample reads them anew, in a transaction of its own. */
interface Sampling {
  readonly session: Session;
  readonly table: CatalogTable;
  readonly ask: SampleAsk;
  /** Against the clock of `performance`. */
  readonly deadline: number;
}

/** Looks at some rows. What leaves the server are counts. */
export async function sampleRows(
  session: Session,
  table: CatalogTable,
  ask: SampleAsk,
): Promise<Sample> {
  const deadline = performance.now() + sampleSecondsMax * 1000;
  const sampling = { session, table, ask, deadline };
  const { rows, ...found } = await readRoles(sampling);
  const unfit = rows === 0 ? [] : await findUnfit(sampling, ask.table.columns);
  return { rows, ...found, unfit: unfit.map(({ nameInDestination }) => nameInDestination) };
}

async function readRoles(sampling: Sampling): Promise<Omit<Sample, 'unfit'>> {
  const { key, lastModified, tenantColumn } = sampling.ask.table;
  const roles = [...key, lastModified];
  const isNull = roles.map(({ nameInSource }) => `q.${quote(nameInSource)} is null`);
  // A key belongs to its tenant: two tenants may have the same.
  const hasTenant = sampling.table.columns.some(({ name }) => name === tenantColumn);
  const names = [...(hasTenant ? [tenantColumn] : []), ...key.map((one) => one.nameInSource)];
  const whole = names.map((name) => `q.${quote(name)}::pg_catalog.text`).join(', ');
  const selected = [
    'count(*)::int as rows',
    `count(distinct row(${whole}))::int as keys`,
    `array[${isNull.map((is) => `coalesce(bool_or(${is}), false)`).join(', ')}] as nulls`,
  ];
  const row = await select<{ rows: number; keys: number; nulls: boolean[] }>(sampling, selected);
  const nulls = roles.filter((_, index) => row.nulls[index]);
  return {
    rows: row.rows,
    nulls: nulls.map(({ nameInDestination }) => nameInDestination),
    hasRepeatedKey: row.keys < row.rows,
  };
}

/** Columns with a value that the declared type cannot hold, found by halving. */
async function findUnfit(
  sampling: Sampling,
  columns: readonly SharedColumn[],
): Promise<SharedColumn[]> {
  const values = columns.map((column) => landedValue(sampling.table, column));
  try {
    // The size of a value cannot be known without the value.
    await select(
      sampling,
      values.map((value, index) => `sum(pg_catalog.pg_column_size(${value})) as c${index}`),
    );
    return [];
  } catch (error) {
    if (!/^(22|0A)/.test(sqlStateOf(error) ?? '')) throw error;
    if (columns.length === 1) return [...columns];
    const half = Math.ceil(columns.length / 2);
    return [
      ...(await findUnfit(sampling, columns.slice(0, half))),
      ...(await findUnfit(sampling, columns.slice(half))),
    ];
  }
}

/** A value as it would land here: as it is read, in the type that its declaration becomes. */
function landedValue(table: CatalogTable, column: SharedColumn): string {
  const { read } = checkedColumn(table, column);
  const reference = `q.${quote(column.nameInSource)}`;
  const as = (format: 'text' | 'binary') =>
    readExpression(read, column.type, { format, column: reference });
  const value = must(as('binary') ?? as('text'), 'a type that was found to fit');
  return column.type === 'string'
    ? `(${value})::pg_catalog.text`
    : `(${value})::${landedTypes[column.type]}`;
}

async function select<Row extends object>(
  { session, table, ask, deadline }: Sampling,
  selected: readonly string[],
): Promise<Row> {
  const settings = new Map<string, string>();
  const { tenantId, window } = ask;
  const tenant = { column: ask.table.tenantColumn, id: tenantId ?? '' };
  const isWindow = window.after !== undefined || window.upTo !== undefined;
  const conditions = [
    ...(tenantId === undefined ? [] : tenantConditions(table, tenant, settings)),
    ...(isWindow
      ? windowConditions(table, { ...ask.table, window, resumeAfter: undefined }, settings)
      : []),
  ];
  const needed = [tenant.column, ...ask.table.columns.map(({ nameInSource }) => nameInSource)];
  // No more of them: the login may lack the right to the others.
  const columns = table.columns.filter(({ name }) => needed.includes(name));
  const list = columns.map(({ name }) => `q.${quote(name)}`).join(', ');
  const where = conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`;
  const millis = Math.ceil(deadline - performance.now());
  if (millis <= 0) throw tooSlow();
  const begin = { begin: beginRead, settings: [`set local statement_timeout = ${millis}`] };
  const statement =
    /*sql*/ `with q as materialized (select ${list} from ${table.sqlName} q ${where} ` +
    `limit ${sampleRowsMax}) select ${selected.join(', ')} from q`;
  try {
    return await session.transaction(async () => {
      const tenantCast =
        tenantId === undefined ? 'select true as is_exact' : tenantCastOf(table, tenant);
      await checkTenant(session, { settings, tenantCast });
      const [row] = await session.rows<Row & Record<string, unknown>>(statement);
      return must(row, 'the row of an aggregate');
    }, begin);
  } catch (error) {
    if (sqlStateOf(error) === '57014') throw tooSlow();
    throw error;
  }
}

function tooSlow(): Failure {
  const sentence =
    `A sample of ${sampleRowsMax} rows did not come within ${sampleSecondsMax} s. Aim the validation with ` +
    'model_validation_id_in_provider_system and the times beside it, or make the index that reading needs.';
  return new Failure('source_busy', sentence, { code: 'TIME' });
}
