import { getModelRun } from '../db/model-runs.ts';
import { planEvolution } from '../domain/evolution.ts';
import { landedTableOf } from '../domain/landed-table.ts';
import { sharedTableOf } from '../domain/model.ts';
import { checkOwnTable } from '../domain/plan.ts';
import type { FinishRef } from '../domain/steps.ts';
import { closeLoad } from './close-load.ts';
import type { StepDeps } from './deps.ts';
import { openDestination } from './ends.ts';
import { loadPlanOf } from './load-plan.ts';

/**
 * Publishes a replace. The destination keeps a checkpoint for each range it has published, so that a second
 * run goes on there, and one after success changes nothing.
 */
export async function finishModel(deps: StepDeps, ref: FinishRef): Promise<void> {
  const run = await getModelRun(deps.db, ref);
  if (run.status === 'SUCCESS') return;
  const table = sharedTableOf(run.definition);
  const landed = landedTableOf(table);
  await using destination = await openDestination(deps, run.destinationConnectionId);
  const live = await destination.describe(landed.name);
  if (live !== undefined) {
    // It may have come since the plan was made: to publish over it would delete its rows.
    checkOwnTable(await destination.recall(run.modelId), landed.name);
    const steps = planEvolution(landed, live);
    await destination.apply({ modelId: run.modelId, table: landed, steps });
  }
  const load = await destination.open(
    loadPlanOf(run, table, { step: ref.step, attempt: deps.attempt }),
    deps.signal,
  );
  await closeLoad(deps, { run, table, load, fence: ref.fence });
}
