import type { ModelRun } from '../db/model-runs.ts';
import { Failure } from '../domain/failure.ts';
import { landedTableOf } from '../domain/landed-table.ts';
import type { LoadPlan } from '../domain/load.ts';
import type { SharedTable } from '../domain/model.ts';
import { movesWatermark, type StoredPlan } from '../domain/plan.ts';

/** Who made a table, as its destination remembers it. */
export function ownerOf({
  environment,
  destinationId,
}: Pick<ModelRun, 'environment' | 'destinationId'>): string {
  return `${environment}/${destinationId}`;
}

/** @throws Failure `snapshot_missing` when `planModel` has not run. */
export function planOf(run: ModelRun): StoredPlan {
  if (run.plan === undefined) throw new Failure('snapshot_missing', 'This model was not planned.');
  return run.plan;
}

/** The load as the destination is told of it, under the epoch issued to this attempt of this step. */
export function loadPlanOf(
  run: ModelRun,
  table: SharedTable,
  rank: { step: number; attempt: number },
): LoadPlan {
  const plan = planOf(run);
  return {
    owner: ownerOf(run),
    modelId: run.modelId,
    modelName: run.modelName,
    revisionId: run.revisionId,
    transferId: run.transferId,
    table: landedTableOf(table),
    wireColumns: table.columns.map((column) => column.nameInDestination),
    lastModified: table.lastModified.nameInDestination,
    loadIdentity: plan.loadIdentity,
    mode: plan.decision.mode,
    window: plan.decision.window,
    fence: plan.fence.at,
    continues: plan.decision.continues,
    movesWatermark: movesWatermark(plan.decision),
    isWhole: false,
    encoding: plan.encoding,
    epoch: { startedAtMicros: run.startedAtMicros, ...rank },
  };
}
