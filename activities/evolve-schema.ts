import { getModelRun } from '../db/model-runs.ts';
import { appendLog } from '../db/transfer-log.ts';
import { planEvolution, type EvolutionStep } from '../domain/evolution.ts';
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
  await destination.apply({ modelId: run.modelId, table, steps });
  const line = `${run.modelName}: ${steps.map(describeStep).join(', ')}.`;
  await appendLog(deps.db, { transferId: run.transferId, line });
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
