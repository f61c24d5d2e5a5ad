import { z } from 'zod';
import { logicalTypes } from '../../domain/data-type.ts';
import { Failure } from '../../domain/failure.ts';
import { compareInstants, instantMicros, later } from '../../domain/instant.ts';
import {
  loadModes,
  type Cursor,
  type LoadPlan,
  type LoadProgress,
  type LoadRecord,
  type UnfinishedLoad,
} from '../../domain/load.ts';
import type { Session } from './session.ts';
import { qualified } from './sql.ts';
import { hasRelation, loadTable } from './tables.ts';

const count = z.coerce.number().int().min(0);
const instant = z.string().refine(isInstant).nullable();

const LandedTableText = z.object({
  name: z.string(),
  description: z.string().optional(),
  columns: z.array(
    z.object({ name: z.string(), type: z.enum(logicalTypes), description: z.string().optional() }),
  ),
  key: z.array(z.string()),
});

/** A row of `_waybill_load`. Its owner can write into it, so it is read by type and believed no further. */
const LoadRow = z.object({
  model_id: z.string(),
  table_name: z.string(),
  owner: z.string(),
  epoch_started_at_micros: count,
  epoch_step: count,
  epoch_attempt: count,
  load_identity: z.string().nullable(),
  watermark: instant,
  greatest: instant,
  fence: instant,
  applied_table: LandedTableText.nullable(),
  load_state: z.enum(['running', 'publishing', 'finished']).nullable(),
  load_transfer_id: z.string().nullable(),
  load_revision_id: z.string().nullable(),
  load_mode: z.enum(loadModes).nullable(),
  load_copy_of: z.string().nullable(),
  load_window_after: instant,
  load_window_up_to: instant,
  load_begun_at: instant,
  load_pass: count,
  load_attempts: count,
  load_fence: instant,
  load_cursor: instant,
  load_cursor_key: z.array(z.string()).nullable(),
  load_rows: count,
  load_greatest: instant,
  staged_rows: count,
  staged_attempt: count,
  // A table of any other name is not a hidden one of ours: what this names is emptied and dropped.
  staged_name: z
    .string()
    .regex(/^_waybill_copy_[0-9a-f]{16}$/)
    .nullable(),
  staged_oid: count.nullable(),
  staged_filenode: count.nullable(),
  staged_again_in_step: count.nullable(),
  published_rows: count.nullable(),
  published_up_to: z.array(z.string()).nullable(),
});
export type LoadRow = z.infer<typeof LoadRow>;

/** The column itself may have been given another type. */
function isInstant(text: string): boolean {
  try {
    instantMicros(text);
    return true;
  } catch {
    return false;
  }
}

/** All columns, to be selected or returned under the pinned settings. */
export const loadRowColumns = Object.keys(LoadRow.shape).join(', ');

/** @throws Failure `schema_conflict` where somebody has written something into the row that we never do */
export function parseLoadRow(row: unknown): LoadRow {
  const parsed = LoadRow.safeParse(row);
  if (parsed.success) return parsed.data;
  throw new Failure(
    'schema_conflict',
    `A row of ${loadTable} at the destination is not as Waybill left it.`,
    {
      detail: parsed.error.issues.map((issue) => issue.path.join('.')).join(', '),
    },
  );
}

export async function readLoadRow(
  session: Session,
  schema: string,
  modelId: string,
): Promise<LoadRow | undefined> {
  if (!(await hasRelation(session, schema, loadTable))) return undefined;
  const rows = await session.transaction(() =>
    session.rows(
      /*sql*/ `select ${loadRowColumns} from ${qualified(schema, loadTable)} where model_id = $1`,
      [modelId],
    ),
  );
  return rows[0] === undefined ? undefined : parseLoadRow(rows[0]);
}

export function recordOf(row: LoadRow): LoadRecord {
  return {
    owner: row.owner,
    loadIdentity: row.load_identity ?? undefined,
    table: row.table_name,
    epoch: {
      startedAtMicros: row.epoch_started_at_micros,
      step: row.epoch_step,
      attempt: row.epoch_attempt,
    },
    watermark: row.watermark ?? undefined,
    greatest: row.greatest ?? undefined,
    fence: row.fence ?? undefined,
    appliedTable: row.applied_table === null ? undefined : landedTableOf(row.applied_table),
    unfinished: unfinishedOf(row),
  };
}

function landedTableOf(
  table: z.infer<typeof LandedTableText>,
): NonNullable<LoadRecord['appliedTable']> {
  const columns = table.columns.map(({ name, type, description }) => ({ name, type, description }));
  return { name: table.name, description: table.description, columns, key: table.key };
}

function unfinishedOf(row: LoadRow): UnfinishedLoad | undefined {
  if (row.load_state !== 'running' && row.load_state !== 'publishing') return undefined;
  const { load_transfer_id: transferId, load_revision_id: revisionId, load_mode: mode } = row;
  const { load_copy_of: loadIdentity, load_begun_at: begunAt } = row;
  if (
    transferId === null ||
    revisionId === null ||
    mode === null ||
    loadIdentity === null ||
    begunAt === null
  )
    return undefined;
  const window = {
    after: row.load_window_after ?? undefined,
    upTo: row.load_window_up_to ?? undefined,
  };
  return { transferId, revisionId, mode, loadIdentity, window, begunAt };
}

/** What has landed counts only where the load goes on with a copy of the same. */
export function progressOf(row: LoadRow, plan: LoadPlan): LoadProgress {
  const isSameCopy = row.load_identity === plan.loadIdentity;
  const landed = isSameCopy ? (row.greatest ?? undefined) : undefined;
  return {
    pass: row.load_pass,
    attempts: row.load_attempts,
    fence: row.load_fence ?? plan.fence,
    resumeAfter: cursorOf(row),
    greatest: later(row.load_greatest ?? undefined, landed),
    watermark: isSameCopy ? (row.watermark ?? undefined) : undefined,
    rows: row.load_rows,
  };
}

function cursorOf(row: LoadRow): Cursor | undefined {
  if (row.load_cursor === null || row.load_cursor_key === null) return undefined;
  return { lastModified: row.load_cursor, key: row.load_cursor_key };
}

/** Whether the load under way is the one that is asked for. */
export function isSameLoad(row: LoadRow, plan: LoadPlan): boolean {
  const isSame = row.load_mode === plan.mode && row.load_copy_of === plan.loadIdentity;
  return isSame && (isOwnLoad(row, plan) || plan.continues);
}

function isOwnLoad(row: LoadRow, plan: LoadPlan): boolean {
  return row.load_transfer_id === plan.transferId && row.load_revision_id === plan.revisionId;
}

/** Whether the very load that is asked for has finished before, and only its answer was lost. */
export function isFinished(row: LoadRow, plan: LoadPlan): boolean {
  const isSameWindow =
    isSameInstant(row.load_window_after, plan.window.after) &&
    isSameInstant(row.load_window_up_to, plan.window.upTo);
  return (
    row.load_state === 'finished' && isOwnLoad(row, plan) && isSameLoad(row, plan) && isSameWindow
  );
}

function isSameInstant(a: string | null, b: string | undefined): boolean {
  return a === null || b === undefined ? a === (b ?? null) : compareInstants(a, b) === 0;
}
