import type { Destination, Load } from '../connectors/connector.ts';
import { getModelRun, type ModelRun } from '../db/model-runs.ts';
import { appliedAfter, planEvolution } from '../domain/evolution.ts';
import { landedTableOf } from '../domain/landed-table.ts';
import { sharedTableOf, type SharedTable } from '../domain/model.ts';
import { checkOwnTable } from '../domain/plan.ts';
import type { FinishRef } from '../domain/steps.ts';
import { closeLoad } from './close-load.ts';
import type { StepDeps } from './deps.ts';
import { openDestination } from './ends.ts';
import { loadPlanOf } from './load-plan.ts';
import { watchProgress } from './progress-watch.ts';

/**
 * Publishes a replace. The destination keeps a checkpoint for each range it has published, so that a second
 * run goes on there, and one after success changes nothing.
 */
export async function finishModel(deps: StepDeps, ref: FinishRef): Promise<void> {
  const run = await getModelRun(deps.db, ref);
  if (run.status === 'SUCCESS') return;
  const table = sharedTableOf(run.definition);
  await using destination = await openDestination(deps, run.destinationConnectionId);
  const load = await openToPublish(deps, { run, table, step: ref.step, destination });
  await closeLoad(deps, { run, table, load, fence: ref.fence });
}

/** Building a key may take longer than any silence is borne, so the watch ends where that begins. */
async function openToPublish(
  deps: StepDeps,
  { run, table, step, destination }: Publication,
): Promise<Load> {
  using watch = watchProgress(deps);
  const open = async () => {
    const landed = landedTableOf(table);
    const live = await destination.describe(landed.name);
    if (live !== undefined) {
      // It may have come since the plan was made: to publish over it would delete its rows.
      const record = await destination.recall(run.modelId);
      checkOwnTable(record, landed.name);
      const steps = planEvolution(landed, live);
      const applied = appliedAfter(record?.appliedTable, landed);
      await destination.apply({ modelId: run.modelId, table: applied, steps });
    }
    const rank = { step, attempt: deps.attempt };
    const plan = { ...loadPlanOf(run, table, rank), isWhole: true };
    return destination.open(plan, watch.signal);
  };
  return await watch.guard(open());
}

interface Publication {
  readonly run: ModelRun;
  readonly table: SharedTable;
  readonly step: number;
  readonly destination: Destination;
}
