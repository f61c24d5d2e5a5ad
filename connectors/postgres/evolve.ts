import { isWidening, logicalTypes } from '../../domain/data-type.ts';
import type { EvolutionStep, LiveColumn, LiveTable } from '../../domain/evolution.ts';
import { Failure } from '../../domain/failure.ts';
import type { LandedColumn, LandedTable } from '../../domain/load.ts';
import type { SchemaChange } from '../connector.ts';
import { sqlStateOf } from './failures.ts';
import type { Session } from './session.ts';
import { literal, qualified, quote, quoteAll } from './sql.ts';
import { ensureSchema, ensureTables, loadTable, lockTimeout, withSchemaLock } from './tables.ts';
import { landedTypes, logicalTypesOf } from './type-table.ts';
import { columnDefinitions } from './writing.ts';

/** The table as it is, or undefined where nothing has the name. */
export async function describeTable(
  session: Session,
  schema: string,
  name: string,
): Promise<LiveTable | undefined> {
  const [table] = await session.rows<{ oid: string; kind: string; comment: string | null }>(
    /*sql*/ `select c.oid::text, c.relkind as kind, obj_description(c.oid, 'pg_class') as comment
      from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2`,
    [schema, name],
  );
  if (table === undefined) return undefined;
  const columns = await describeColumns(session, table.oid);
  const key = await session.rows<{ name: string }>(
    /*sql*/ `select a.attname as name from pg_index i
      cross join lateral unnest(i.indkey::smallint[]) with ordinality as part(attnum, place)
      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = part.attnum
      where i.indrelid = $1::oid and i.indisprimary order by part.place`,
    [table.oid],
  );
  return {
    kind: table.kind === 'r' ? 'table' : 'other',
    columns,
    key: key.map((one) => one.name),
    comment: table.comment ?? undefined,
  };
}

async function describeColumns(session: Session, oid: string): Promise<LiveColumn[]> {
  const rows = await session.rows<{
    name: string;
    type: string;
    is_generated: boolean;
    comment: string | null;
  }>(
    /*sql*/ `select attname as name, format_type(atttypid, atttypmod) as type,
        attgenerated <> '' as is_generated, col_description(attrelid, attnum) as comment
      from pg_attribute where attrelid = $1::oid and attnum > 0 and not attisdropped order by attnum`,
    [oid],
  );
  // A generated column takes no values, so nothing lands as it.
  return rows.map(({ name, type, is_generated: isGenerated, comment }) => ({
    name,
    type: isGenerated ? `${type} generated` : type,
    fits: isGenerated ? [] : logicalTypesOf(type),
    comment: comment ?? undefined,
  }));
}

/** Applies the steps one by one and records the table as applied together with the last. */
export async function applyChange(
  session: Session,
  schema: string,
  change: SchemaChange,
): Promise<void> {
  await ensureTables(session, schema);
  const record = async () => {
    await session.run(
      /*sql*/ `update ${qualified(schema, loadTable)} set applied_table = $2::jsonb where model_id = $1`,
      [change.modelId, JSON.stringify(change.table)],
    );
  };
  const tableSteps = change.steps.filter(({ kind }) => kind !== 'create_schema');
  const last = tableSteps.at(-1);
  if (tableSteps.length < change.steps.length) await ensureSchema(session, schema);
  for (const step of tableSteps) {
    await applyStepWith(session, schema, { step, record: step === last ? record : undefined });
  }
  // A schema alone says nothing about the table: a replace makes that one itself.
  if (change.steps.length === 0) await session.transaction(record, { settings: [lockTimeout] });
}

/**
 * One step in a transaction of its own. It waits three seconds for a lock at most: readers queue behind
 * it.
 */
export async function applyStep(
  session: Session,
  schema: string,
  step: EvolutionStep,
): Promise<void> {
  await applyStepWith(session, schema, { step });
}

async function applyStepWith(
  session: Session,
  schema: string,
  { step, record }: { step: EvolutionStep; record?: (() => Promise<void>) | undefined },
): Promise<void> {
  const work = async () => {
    const table = step.kind === 'create_schema' ? undefined : tableOf(step);
    try {
      await session.script(statementsOf(schema, step), { table });
    } catch (error) {
      throw step.kind === 'widen_column' && sqlStateOf(error) === inUse ? usedByView(step) : error;
    }
    await record?.();
  };
  if (step.kind === 'create_schema') await ensureSchema(session, schema);
  else if (step.kind === 'create_table') await withSchemaLock(session, schema, work);
  else await session.transaction(work, { settings: [lockTimeout] });
}

/** What Postgres answers where a view, a rule, a policy or a trigger reads the column. */
const inUse = '0A000';

function usedByView({ table, column }: { table: string; column: LandedColumn }): Failure {
  return new Failure(
    'schema_conflict',
    `Column ${column.name} of table ${table} at the destination is to become ${landedTypes[column.type]}, ` +
      'and a view, a rule or a policy of yours uses it. Drop that, start a transfer, and make it again.',
  );
}

type TableStep = Exclude<EvolutionStep, { kind: 'create_schema' }>;

function tableOf(step: TableStep): string {
  return step.kind === 'create_table' ? step.table.name : step.table;
}

function statementsOf(schema: string, step: EvolutionStep): string[] {
  if (step.kind === 'create_schema') return [];
  const table = qualified(schema, tableOf(step));
  switch (step.kind) {
    case 'create_table':
      return createStatements(table, step.table);
    case 'add_column':
      return [
        `alter table ${table} add column if not exists ${columnDefinitions([step.column], [])}`,
        ...columnComment(table, step.column),
      ];
    case 'widen_column':
      return widenStatements(table, step.column);
    case 'comment_table':
      return [`comment on table ${table} is ${literal(step.comment)}`];
    case 'comment_column':
      return [`comment on column ${table}.${quote(step.column)} is ${literal(step.comment)}`];
  }
}

/**
 * The type is looked at again under the lock: a column that somebody gave a wider one meanwhile must not be
 * cut down to ours.
 */
function widenStatements(table: string, { name, type }: LandedColumn): string[] {
  const narrower = logicalTypes.filter((from) => isWidening(from, type));
  const types = narrower.map((from) => `${literal(landedTypes[from])}::regtype`).join(', ');
  const alter = `alter table ${table} alter column ${quote(name)} type ${landedTypes[type]}`;
  const body = /*sql*/ `begin
    if exists (select from pg_attribute where attrelid = ${literal(table)}::regclass
        and attname = ${literal(name)} and not attisdropped and atttypid in (${types}))
    then execute ${literal(alter)}; end if; end`;
  return [`lock table ${table} in access exclusive mode`, `do ${literal(body)}`];
}

function createStatements(name: string, table: LandedTable): string[] {
  const columns = columnDefinitions(table.columns, table.key);
  const comment =
    table.description === undefined
      ? []
      : [`comment on table ${name} is ${literal(table.description)}`];
  return [
    /*sql*/ `create table if not exists ${name} (${columns}, primary key (${quoteAll(table.key)}))`,
    ...comment,
    ...table.columns.flatMap((column) => columnComment(name, column)),
  ];
}

function columnComment(table: string, { name, description }: LandedColumn): string[] {
  return description === undefined
    ? []
    : [`comment on column ${table}.${quote(name)} is ${literal(description)}`];
}
