import type { Load } from '../connectors/connector.ts';
import { continueBackfill } from '../db/backfills.ts';
import { getModelRun, recordSuccess, type ModelRun } from '../db/model-runs.ts';
import { appendLog } from '../db/transfer-log.ts';
import type { InstantText } from '../domain/instant.ts';
import { landedTableOf } from '../domain/landed-table.ts';
import type { SharedTable } from '../domain/model.ts';
import { nextWatermark } from '../domain/plan.ts';
import type { StepDeps } from './deps.ts';
import { planOf } from './load-plan.ts';

export interface LoadEnd {
  readonly run: ModelRun;
  readonly table: SharedTable;
  readonly load: Load;
  /** Of the last pass. */
  readonly fence: InstantText;
}

/**
 * Publishes what has landed and moves the watermark at the destination; then, and only then, records it
 * here.
 */
export async function closeLoad(
  deps: StepDeps,
  { run, table, load, fence }: LoadEnd,
): Promise<void> {
  const { decision, lookbackSeconds } = planOf(run);
  const { progress } = load;
  const { rows } = await getModelRun(deps.db, run);
  const receipt = await load.finish(
    {
      watermark: nextWatermark({ decision, fence, progress, lookbackSeconds }),
      fence,
      isFullRefresh: decision.mode === 'replace',
      rowsTransferred: rows,
    },
    deps.signal,
  );
  const { watermark } = receipt;
  await recordSuccess(deps.db, { run, watermark, table: landedTableOf(table) });
  const published =
    receipt.rowsPublished === undefined ? '' : `, ${receipt.rowsPublished} published`;
  const line = `${run.modelName}: done, ${rows} rows moved${published}.`;
  await appendLog(deps.db, { transferId: run.transferId, line });
  const isFilled = decision.mode === 'replace' || run.trigger === 'backfill';
  await goOnFilling(deps, run, isFilled);
}

/**
 * Ends a backfill before the end of its window, because somebody waits. Only in our tables: the destination
 * would take a load that it has finished for whole.
 */
export async function yieldBackfill(
  deps: StepDeps,
  { run, table, load }: Omit<LoadEnd, 'fence'>,
): Promise<void> {
  const { rows } = await getModelRun(deps.db, run);
  const { watermark } = load.progress;
  await recordSuccess(deps.db, { run, watermark, table: landedTableOf(table) });
  const line = `${run.modelName}: ${rows} rows moved; makes way for a transfer that waits.`;
  await appendLog(deps.db, { transferId: run.transferId, line });
  await goOnFilling(deps, run, false);
}

async function goOnFilling({ db }: StepDeps, run: ModelRun, isFilled: boolean): Promise<void> {
  const next = await continueBackfill(db, { run, isFilled });
  if (next === undefined) return;
  const line = `${run.modelName}: transfer ${next} fills new columns in rows from before them.`;
  await appendLog(db, { transferId: run.transferId, line });
}
