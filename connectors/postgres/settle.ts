import { Failure } from '../../domain/failure.ts';
import type { LoadPlan } from '../../domain/load.ts';
import { must } from '../../lib/must.ts';
import { beginLoad } from './begin-load.ts';
import type { Checkpoint } from './checkpoint.ts';
import { describeTable } from './evolve.ts';
import { sqlStateOf } from './failures.ts';
import type { LoadRow } from './record.ts';
import type { Session } from './session.ts';
import { qualified, quote, quoteAll } from './sql.ts';
import { attemptColumn, lostCopy, stagingKey, withStagingLock, type Staging } from './staging.ts';
import { lockTimeout } from './tables.ts';
import { writerSettings } from './writing.ts';

/** A hidden table that holds all rows of its load. */
export interface StagedCopy {
  readonly checkpoint: Checkpoint;
  readonly schema: string;
  readonly staging: Staging;
}

/**
 * Gives the rows of an attempt a number of their own, of which the greatest will stay. The table is locked
 * before the row of the load is, in the order of the writers, or the two could wait for each other.
 */
export async function numberAttempt(
  { checkpoint, schema, staging }: StagedCopy,
  row: LoadRow,
): Promise<LoadRow> {
  const { session } = checkpoint;
  const hidden = qualified(schema, staging.name);
  const number = row.staged_attempt + 1;
  const work = async () => {
    await session.script([
      `alter table ${hidden} drop constraint if exists ${quote(stagingKey(staging))}`,
      `alter table ${hidden} add column if not exists ${attemptColumn} integer not null default 1`,
      `alter table ${hidden} alter column ${attemptColumn} set default ${number}`,
    ]);
    return checkpoint.change({ assignments: ['staged_attempt = $5::integer'], values: [number] });
  };
  return withStagingLock(session, staging, () =>
    session.transaction(work, { settings: [lockTimeout] }),
  );
}

const uniqueViolation = '23505';

/** Measured: with the usual 64 MB the key of a million rows takes a fifth longer. */
const raiseKeyMemory = /*sql*/ `select set_config('maintenance_work_mem', '256MB', true)
  where pg_size_bytes(current_setting('maintenance_work_mem')) < pg_size_bytes('256MB')`;

/**
 * Makes the hidden table the copy that is to be published: the last attempt's row of each key, and the
 * key itself. The row of the load is changed last, so that nothing waits for it meanwhile.
 * @throws Failure `source_mismatch` where a key stands twice in one attempt; `fenced`
 */
export async function settle(copy: StagedCopy, row: LoadRow): Promise<LoadRow> {
  const { checkpoint, schema } = copy;
  const { session, plan } = checkpoint;
  const settled = await withStagingLock(session, copy.staging, () => settleOnce(copy, row)).catch(
    (error: unknown) => {
      if (sqlStateOf(error) !== uniqueViolation) throw error;
      return 'not_unique' as const;
    },
  );
  if (typeof settled === 'object') return settled;
  // Its rows are of no use, also once the source has been put right: the next transfer begins anew.
  await beginLoad({ session, schema, plan, checkpoint }, row, plan.epoch.step);
  if (settled === undefined) throw lostCopy(plan.table.name);
  const key = plan.table.key.join(', ');
  const sentence = `The key (${key}) of model ${plan.modelName} is not unique at the source.`;
  throw new Failure('source_mismatch', sentence, { code: 'KEYS' });
}

/** Undefined where the rows are not as many as were committed. */
async function settleOnce(
  { checkpoint, schema, staging }: StagedCopy,
  row: LoadRow,
): Promise<LoadRow | undefined> {
  const { session, plan } = checkpoint;
  const hidden = qualified(schema, staging.name);
  const key = quote(stagingKey(staging));
  return session.transaction(
    async () => {
      await session.script([`lock table ${hidden} in access exclusive mode`]);
      const [counted] = await session.rows<{ count: string }>(
        /*sql*/ `select count(*) from ${hidden}`,
      );
      if (Number(must(counted, 'a count').count) !== row.staged_rows) return undefined;
      if (!(await hasItsColumns(session, schema, { staging, plan }))) return undefined;
      await session.rows(raiseKeyMemory);
      const superseded = row.staged_attempt === 1 ? 0 : await dropSuperseded(checkpoint, hidden);
      await session.script([
        `alter table ${hidden} drop constraint if exists ${key}`,
        /*sql*/ `alter table ${hidden} add constraint ${key} primary key (${quoteAll(plan.table.key)})`,
      ]);
      return checkpoint.change({
        assignments: [
          `load_state = 'publishing', published_rows = $5::bigint, published_up_to = null`,
          'staged_rows = $5::bigint',
        ],
        values: [row.staged_rows - superseded],
      });
    },
    { settings: [lockTimeout, ...writerSettings] },
  );
}

/** Dropping one of them changes neither the table's number nor that of its rows. */
async function hasItsColumns(
  session: Session,
  schema: string,
  { staging, plan }: { staging: Staging; plan: LoadPlan },
): Promise<boolean> {
  const live = await describeTable(session, schema, staging.name);
  return plan.table.columns.every(({ name, type }) =>
    live?.columns.some((column) => column.name === name && column.fits.includes(type)),
  );
}

/** A row that changed between two attempts was read by both: the later one is right. */
async function dropSuperseded({ session, plan }: Checkpoint, hidden: string): Promise<number> {
  const sameKey = plan.table.key
    .map((name) => `old.${quote(name)} = new.${quote(name)}`)
    .join(' and ');
  await session.script([`analyze ${hidden}`]);
  return session.run(/*sql*/ `delete from ${hidden} old using ${hidden} new
      where new.${attemptColumn} > 1 and old.${attemptColumn} < new.${attemptColumn} and ${sameKey}`);
}
