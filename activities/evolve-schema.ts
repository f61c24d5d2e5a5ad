import { requestBackfill } from '../db/backfills.ts';
import { getModelRun, type ModelRun } from '../db/model-runs.ts';
import { appendLog } from '../db/transfer-log.ts';
import { appliedAfter, planEvolution, type EvolutionStep } from '../domain/evolution.ts';
import { landedTableOf } from '../domain/landed-table.ts';
import { sharedTableOf } from '../domain/model.ts';
import type { ModelRef } from '../domain/steps.ts';
import type { StepDeps } from './deps.ts';
import { openDestination } from './ends.ts';
import { planOf } from './load-plan.ts';

/**
 * Brings the live table to the frozen revision. A step already true changes nothing, so each is its own
 * checkpoint.
 */
export async function evolveSchema(deps: StepDeps, ref: ModelRef): Promise<void> {
  const run = await getModelRun(deps.db, ref);
  const table = landedTableOf(sharedTableOf(run.definition));
  await using destination = await openDestination(deps, run.destinationConnectionId);
  const steps = planEvolution(table, await destination.describe(table.name)).filter(
    // A replace makes its own table beside the live one and needs no more than the schema now. A merge has a
    // table: one that has gone since the plan must not be made again, to be filled with a fragment.
    ({ kind }) =>
      kind === 'create_schema' ||
      (planOf(run).decision.mode === 'merge' && kind !== 'create_table'),
  );
  if (steps.length === 0) return;
  await askForBackfill(deps, run, steps);
  const record = await destination.recall(run.modelId);
  const applied = appliedAfter(record?.appliedTable, table);
  await destination.apply({ modelId: run.modelId, table: applied, steps });
  const line = `${run.modelName}: ${steps.map(describeStep).join(', ')}.`;
  await appendLog(deps.db, { transferId: run.transferId, line });
}

/** Where nothing has landed yet, or a replace fills the table anyhow, there is nothing to fill. */
async function askForBackfill(
  { db }: StepDeps,
  run: ModelRun,
  steps: readonly EvolutionStep[],
): Promise<void> {
  const columns = steps.flatMap((step) => (step.kind === 'add_column' ? [step.column.name] : []));
  const { mode, watermark } = planOf(run).decision;
  if (!run.definition.backfill_new_columns || mode !== 'merge' || columns.length === 0) return;
  if (watermark !== undefined) await requestBackfill(db, { run, columns, upTo: watermark });
}

function describeStep(step: EvolutionStep): string {
  switch (step.kind) {
    case 'create_schema':
      return 'made sure of the schema';
    case 'create_table':
      return `created table ${step.table.name}`;
    case 'add_column':
      return `added column ${step.column.name}`;
    case 'widen_column':
      return `widened column ${step.column.name} to ${step.column.type}`;
    case 'comment_table':
      return `commented table ${step.table}`;
    case 'comment_column':
      return `commented column ${step.column}`;
  }
}
