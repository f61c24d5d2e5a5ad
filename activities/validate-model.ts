import { finishProbe, getProbe } from '../db/probes.ts';
import { toFailure } from '../domain/failure.ts';
import { ModelDefinition, parseRelation } from '../domain/model.ts';
import type { ModelReport, ProbeRef } from '../domain/probe.ts';
import { checkAgainstSource } from '../domain/source-rules.ts';
import type { StepDeps } from './deps.ts';
import { openSource } from './ends.ts';

/** Holds a model against its source table and keeps what it found with the probe; the first result stays. */
export async function validateModel(
  deps: StepDeps,
  { probeId, environment }: ProbeRef,
): Promise<void> {
  const probe = await getProbe(deps.db, { environment, id: probeId });
  const model = ModelDefinition.parse(probe.input['model']);
  const report = await look(deps, { connectionId: probe.connectionId, model });
  await finishProbe(deps.db, { environment, id: probeId, result: report });
}

async function look(
  deps: StepDeps,
  { connectionId, model }: { connectionId: string; model: ModelDefinition },
): Promise<ModelReport> {
  try {
    await using source = await openSource(deps, connectionId);
    const columns = await source.describe(parseRelation(model.source_table));
    return { kind: 'model', ...checkAgainstSource(model, columns) };
  } catch (error) {
    const { code, message } = toFailure(error);
    const path = 'model.source_table';
    return { kind: 'model', errors: [{ path, code: code.toLowerCase(), message }], warnings: [] };
  }
}
