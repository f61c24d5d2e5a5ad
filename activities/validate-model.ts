import type { Finding, ReadRequest, Source } from '../connectors/connector.ts';
import { finishProbe, getProbe } from '../db/probes.ts';
import { toFailure } from '../domain/failure.ts';
import { instantFromMicros, type InstantText } from '../domain/instant.ts';
import { ModelDefinition, parseRelation, sharedTableOf } from '../domain/model.ts';
import type { ModelReport, ProbeRef } from '../domain/probe.ts';
import { checkAgainstSource, checkSample } from '../domain/source-rules.ts';
import { tableForRead, type QueryAsk } from '../domain/source-query.ts';
import type { StepDeps } from './deps.ts';
import { describeTable } from './describe-table.ts';
import { openSource } from './ends.ts';

/**
 * Holds a model against its source table, or describes a table for a model to be, and keeps what it found
 * with the probe; the first result stays.
 */
export async function validateModel(deps: StepDeps, ref: ProbeRef): Promise<void> {
  const scope = { environment: ref.environment, id: ref.probeId };
  const { connectionId, input } = await getProbe(deps.db, scope);
  const { table } = input;
  const result =
    typeof table === 'string'
      ? await describeTable(deps, { connectionId, table })
      : await look(deps, {
          connectionId,
          model: ModelDefinition.parse(input['model']),
          withPlan: input['with_plan'] === true,
        });
  await finishProbe(deps.db, { ...scope, result });
}

interface Look {
  readonly connectionId: string;
  readonly model: ModelDefinition;
  readonly withPlan: boolean;
}

async function look(deps: StepDeps, { connectionId, model, withPlan }: Look): Promise<ModelReport> {
  const path = model.source_query ? 'model.source_query' : 'model.source_table';
  try {
    await using source = await openSource(deps, { sourceConnectionId: connectionId });
    const relation = model.source_query
      ? tableForRead(sharedTableOf(model), validationAsk(model)).relation
      : parseRelation(model.source_table);
    const columns = await source.describe(relation);
    const { errors, warnings } = checkAgainstSource(model, columns);
    if (errors.length > 0) return { kind: 'model', errors, warnings };
    const shown = await show(source, { model, withPlan });
    warnings.push(...shown.warnings);
    const advice = model.source_query
      ? []
      : await source.advise(sharedTableOf(model)).catch(noAdvice);
    const hints = advice.map(({ name, message }) => ({ path, code: `${name}_missing`, message }));
    const sampled = await sample(source, model);
    return {
      ...{ kind: 'model', ...shown.read, sampledRows: sampled.rows, errors: sampled.errors },
      warnings: [...warnings, ...sampled.warnings, ...hints],
    };
  } catch (error) {
    const { code, message } = toFailure(error);
    return { kind: 'model', errors: [{ path, code: code.toLowerCase(), message }], warnings: [] };
  }

  /** A model on which no advice can be had is no worse for it. */
  function noAdvice(error: unknown): Finding[] {
    deps.log.warn({ code: toFailure(error).code }, 'no advice on a model');
    return [];
  }
}

/** What some rows say. A source that is too busy to show any makes no model worse, but nobody has looked. */
async function sample(source: Source, model: ModelDefinition) {
  const ask = validationAsk(model);
  const table = tableForRead(sharedTableOf(model), ask);
  const tenantId = model.model_validation_id_in_provider_system ?? undefined;
  try {
    const found = await source.sample({ table, tenantId, window: ask.window });
    return { rows: found.rows, ...checkSample(model, found) };
  } catch (error) {
    const { kind, message } = toFailure(error);
    if (kind !== 'source_busy') throw error;
    const warning = { path: 'model', code: 'sample_missing', message };
    return { rows: 0, errors: [], warnings: [warning] };
  }
}

/** The statement of a first load and its plan. A plan that cannot be had makes no model worse. */
async function show(source: Source, { model, withPlan }: Omit<Look, 'connectionId'>) {
  const ask = validationAsk(model);
  const table = tableForRead(sharedTableOf(model), ask);
  const { relation, columns, key, lastModified, tenantColumn } = table;
  const request: ReadRequest = {
    ...{ relation, columns, key, lastModified, window: ask.window },
    tenant: { column: tenantColumn, id: ask.tenantId },
    ...{ resumeAfter: undefined, deltaAfter: undefined, position: undefined },
    ...{ encoding: 'copy_text', batchBytesMax: 1, batchRowsMax: 1 },
  };
  const { sql } = await source.explain(request, { withPlan: false });
  if (!withPlan) return { read: { sql }, warnings: [] };
  try {
    const { plan = '' } = await source.explain(request, { withPlan });
    return { read: { sql, plan }, warnings: [] };
  } catch (error) {
    const { code, message } = toFailure(error);
    return { read: { sql }, warnings: [{ path: 'plan', code: code.toLowerCase(), message }] };
  }
}

/** The tenant and the window that the model aims its validation at. */
function validationAsk(model: ModelDefinition): QueryAsk {
  const { model_validation_start_time_epoch: start, model_validation_end_time_epoch: end } = model;
  return {
    tenantId: model.model_validation_id_in_provider_system ?? 'waybill_validation',
    window: { after: instantOf(start), upTo: instantOf(end) },
    watermark: undefined,
  };
}

function instantOf(rfc3339: string | null | undefined): InstantText | undefined {
  if (!rfc3339) return undefined;
  return instantFromMicros(BigInt(Date.parse(rfc3339)) * 1000n);
}
