import type { LoadPlan } from '../../domain/load.ts';
import type { Load } from '../connector.ts';
import { beginLoad, type Opening } from './begin-load.ts';
import { Checkpoint } from './checkpoint.ts';
import { copyGoneFailure } from './failures.ts';
import { FinishedLoad, MergeLoad } from './merge-load.ts';
import { isFinished, isSameLoad, progressOf, type LoadRow } from './record.ts';
import { ReplaceLoad } from './replace-load.ts';
import type { Session } from './session.ts';
import { isIntact, lostCopy, stagingOf } from './staging.ts';
import { ensureTables, hasRelation } from './tables.ts';

/** Shows the epoch first, by itself; only then is anything waited for that an earlier attempt may hold. */
export async function openLoad(session: Session, schema: string, plan: LoadPlan): Promise<Load> {
  await ensureTables(session, schema);
  const checkpoint = new Checkpoint(session, schema, plan);
  const row = await checkpoint.show();
  if (isFinished(row, plan)) return finishedLoad(row, plan);
  const opening = { session, schema, plan, checkpoint };
  if (plan.mode === 'merge') {
    const isCopy = row.load_identity === plan.loadIdentity;
    if (!isCopy && !(await hasRelation(session, schema, plan.table.name))) throw copyGoneFailure();
    const opened = isUnderWay(row, plan)
      ? await goOnMerging(opening)
      : await beginLoad(opening, row);
    return new MergeLoad(checkpoint, schema, opened);
  }
  if (plan.isWhole && !isUnderWay(row, plan)) throw lostCopy(plan.table.name);
  const opened = isUnderWay(row, plan)
    ? await goOnReplacing(opening, row)
    : await beginLoad(opening, row);
  return new ReplaceLoad(checkpoint, schema, opened);
}

function isUnderWay(row: LoadRow, plan: LoadPlan): boolean {
  return (row.load_state === 'running' || row.load_state === 'publishing') && isSameLoad(row, plan);
}

function finishedLoad(row: LoadRow, plan: LoadPlan): Load {
  const receipt = {
    watermark: row.watermark ?? undefined,
    rowsPublished: row.published_rows ?? undefined,
  };
  return new FinishedLoad(progressOf(row, plan), receipt);
}

/** Each attempt is another snapshot, unless the ones before it have committed nothing. */
const nextAttempt = [
  'load_transfer_id = $5, load_revision_id = $6',
  'load_attempts = case when load_cursor is null then 1 else load_attempts + 1 end',
];

async function goOnMerging({ session, plan, checkpoint }: Opening): Promise<LoadRow> {
  const change = { assignments: nextAttempt, values: [plan.transferId, plan.revisionId] };
  return session.transaction(() => checkpoint.change(change));
}

async function goOnReplacing(opening: Opening, row: LoadRow): Promise<LoadRow> {
  const { session, schema, plan, checkpoint } = opening;
  const staging = stagingOf(row);
  if (staging === undefined || !(await isIntact(session, schema, staging)))
    return beginLoad(opening, row, plan.epoch.step);
  // Its rows are all there: what is left is to publish them. Another transfer has rows of its own to add
  // first.
  if (row.load_state === 'publishing' && row.load_transfer_id === plan.transferId) return row;
  const change = {
    assignments: [
      ...nextAttempt,
      `load_state = 'running', published_rows = null, published_up_to = null`,
    ],
    values: [plan.transferId, plan.revisionId],
  };
  return session.transaction(() => checkpoint.change(change));
}
