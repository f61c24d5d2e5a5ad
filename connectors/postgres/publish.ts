import { Failure } from '../../domain/failure.ts';
import { planEvolution } from '../../domain/evolution.ts';
import type { LandedTable, LoadProgress } from '../../domain/load.ts';
import { must } from '../../lib/must.ts';
import type { LoadClose } from '../connector.ts';
import { applyStep, describeTable } from './evolve.ts';
import type { LoadRow } from './record.ts';
import type { StagedCopy } from './settle.ts';
import { literal, qualified, quote, quoteAll, setting } from './sql.ts';
import { attemptColumn, dropStaging, stagingKey, withStagingLock } from './staging.ts';
import { hasRelation, lockTimeout } from './tables.ts';
import { landedTypes } from './type-table.ts';
import { lookupSettings, upsertStatement, writerSettings } from './writing.ts';

export interface Publication {
  readonly close: LoadClose;
  readonly row: LoadRow;
  readonly outcome: { readonly progress: LoadProgress; readonly rowsPublished: number };
}

/** Rows of either table that one transaction goes over. */
const rangeRows = 50_000;

/**
 * Makes a settled copy visible: under its name where no table has it yet, else by changing the live table
 * range by range, so that its grants and views stay and no reader finds it empty.
 */
export async function publish(copy: StagedCopy, publication: Publication): Promise<void> {
  const { session, plan } = copy.checkpoint;
  const live = await describeTable(session, copy.schema, plan.table.name);
  if (live === undefined) return rename(copy, publication);
  await checkOurs(copy, publication.row);
  for (const step of planEvolution(plan.table, live)) await applyStep(session, copy.schema, step);
  let after: readonly string[] | null = publication.row.published_up_to;
  for (;;) {
    const upTo = await publishRange(copy, publication, after);
    if (upTo === undefined) break;
    after = upTo;
  }
  await session.transaction(() => dropStaging(session, copy.schema, copy.staging), {
    settings: [lockTimeout],
  });
}

/** A table that came from elsewhere after the plan was made must not lose its rows to ours. */
async function checkOurs({ checkpoint, schema }: StagedCopy, row: LoadRow): Promise<void> {
  const { session, plan } = checkpoint;
  const { name } = plan.table;
  const hasLanded = row.load_identity !== null && row.table_name === name;
  if (hasLanded || row.applied_table?.name === name) return;
  const rows = await session.rows(
    /*sql*/ `select from ${qualified(schema, plan.table.name)} limit 1`,
  );
  if (rows.length === 0) return;
  throw new Failure(
    'schema_conflict',
    `Table ${plan.table.name} at the destination was not made by Waybill. ` +
      'Rename it or choose another schema.',
  );
}

async function rename(copy: StagedCopy, { close, outcome }: Publication): Promise<void> {
  const { checkpoint, schema, staging } = copy;
  const { session, plan } = checkpoint;
  const hidden = qualified(schema, staging.name);
  const live = qualified(schema, plan.table.name);
  const { description } = plan.table;
  await withStagingLock(session, staging, () =>
    session.transaction(
      async () => {
        const keyName = await freeKeyName(copy);
        await session.script([
          `alter table ${hidden} drop column if exists ${attemptColumn}`,
          `alter table ${hidden} rename to ${quote(plan.table.name)}`,
          `comment on table ${live} is ${description === undefined ? 'null' : literal(description)}`,
          ...(keyName === undefined
            ? []
            : [
                `alter table ${live} rename constraint ${quote(stagingKey(staging))} to ${quote(keyName)}`,
              ]),
        ]);
        await checkpoint.finish(close, outcome);
        await checkpoint.change({
          assignments: ['staged_name = null, staged_oid = null, staged_filenode = null'],
        });
      },
      { settings: [lockTimeout] },
    ),
  );
}

const nameBytesMax = 63;

/** The name that Postgres itself would have given the key, where nothing has it. */
async function freeKeyName({ checkpoint, schema }: StagedCopy): Promise<string | undefined> {
  const name = `${checkpoint.plan.table.name}_pkey`;
  if (Buffer.byteLength(name) > nameBytesMax) return undefined;
  return (await hasRelation(checkpoint.session, schema, name)) ? undefined : name;
}

/** One range of keys after `after`, in one transaction. @returns where it ended; undefined after the last */
async function publishRange(
  copy: StagedCopy,
  publication: Publication,
  after: readonly string[] | null,
): Promise<readonly string[] | undefined> {
  const { checkpoint } = copy;
  const { session } = checkpoint;
  const context = { table: checkpoint.plan.table.name };
  return session.rollingBack(async () => {
    await session.begin('begin', [...writerSettings, ...lookupSettings]);
    await checkpoint.setValues(after === null ? {} : keySettings('from', after));
    const upTo = await findRangeEnd(copy, after !== null);
    const where = rangeCondition(copy, after !== null, upTo !== undefined);
    if (upTo === undefined) {
      await session.script(rangeStatements(copy, where), context);
      await checkpoint.finish(publication.close, publication.outcome);
      await session.script(['commit']);
      return undefined;
    }
    await checkpoint.setValues({ ...keySettings('to', upTo), up_to: upTo });
    const mark = checkpoint.changeStatement([`published_up_to = ${setting('up_to')}::text[]`]);
    await session.script([mark, ...rangeStatements(copy, where), 'commit'], context);
    return upTo;
  });
}

function keySettings(bound: 'from' | 'to', key: readonly string[]): Record<string, string> {
  return Object.fromEntries(key.map((value, index) => [`${bound}_${index}`, value]));
}

/**
 * The key so many rows on, counted in both tables together, so that neither has more of them in the range.
 */
async function findRangeEnd(
  { checkpoint, schema, staging }: StagedCopy,
  isLater: boolean,
): Promise<string[] | undefined> {
  const { session, plan } = checkpoint;
  const key = quoteAll(plan.table.key);
  const where = isLater ? `where ${keyCondition(plan.table, '>', 'from')}` : '';
  const keysOf = (table: string) =>
    `(select ${key} from ${qualified(schema, table)} b ${where} order by ${key} limit ${rangeRows})`;
  const asText = plan.table.key.map((name) => `${quote(name)}::text`).join(', ');
  const [row] = await session.rows<{ key: string[] }>(/*sql*/ `select array[${asText}] as key
      from (${keysOf(staging.name)} union all ${keysOf(plan.table.name)}) both_tables
      order by ${key} offset ${rangeRows - 1} limit 1`);
  return row?.key;
}

function rangeCondition({ checkpoint }: StagedCopy, hasFrom: boolean, hasTo: boolean): string {
  const { table } = checkpoint.plan;
  const from = hasFrom ? [keyCondition(table, '>', 'from')] : [];
  const to = hasTo ? [keyCondition(table, '<=', 'to')] : [];
  return [...from, ...to, 'true'].join(' and ');
}

/** The key of `b` against a bound, which is text in a setting and so is cast to the types that we create. */
function keyCondition(table: LandedTable, comparison: '>' | '<=', bound: 'from' | 'to'): string {
  const columns = table.key.map((name) => `b.${quote(name)}`);
  const values = table.key.map((name, index) => {
    const column = must(
      table.columns.find((one) => one.name === name),
      'a key column',
    );
    // The live table may have been widened since this revision, and a bound may come from it.
    const type = column.type === 'integer' ? 'bigint' : column.type;
    return `${setting(`${bound}_${index}`)}::${landedTypes[type]}`;
  });
  return `(${columns.join(', ')}) ${comparison} (${values.join(', ')})`;
}

/** Rows that are gone go, rows that differ or are new come; the others are not touched. */
function rangeStatements({ checkpoint, schema, staging }: StagedCopy, where: string): string[] {
  const { table } = checkpoint.plan;
  const live = qualified(schema, table.name);
  const hidden = qualified(schema, staging.name);
  const sameKey = table.key.map((name) => `h.${quote(name)} = b.${quote(name)}`).join(' and ');
  return [
    /*sql*/ `delete from ${live} b where ${where} and not exists (select from ${hidden} h where ${sameKey})`,
    upsertStatement({ from: hidden, into: live, table, where }),
  ];
}
