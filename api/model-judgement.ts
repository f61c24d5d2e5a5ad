import type { Context } from 'hono';
import { reviewModel } from '../db/models.ts';
import { readSources } from '../db/model-names.ts';
import { getSource, type SourceRecord } from '../db/sources.ts';
import type { Violation } from '../domain/failure.ts';
import { Failure } from '../domain/failure.ts';
import type { ModelDefinition } from '../domain/model.ts';
import { resolveSource, type SourceNames } from '../domain/model-rules.ts';
import type { AppEnv } from './deps.ts';
import { invalid } from './errors.ts';
import { parseModel } from './model-object.ts';
import { probeModel } from './probes.ts';

/** What speaks against a model, and what is doubtful about it. */
export interface Judgement {
  readonly errors: readonly Violation[];
  readonly warnings: readonly Violation[];
  /** The reading statement, where it could be made, and its plan, where asked for. */
  readonly sql?: string | undefined;
  readonly plan?: string | undefined;
  readonly sampledRows?: number | undefined;
}

interface Judged {
  readonly idOrName?: string | undefined;
  readonly withPlan?: boolean | undefined;
}

/**
 * The rules of form and history first; only a model that keeps them is held against its source, by a worker.
 * @throws Failure `unavailable` where no worker answers.
 */
export async function judgeModel(
  c: Context<AppEnv>,
  model: Judged & { definition: ModelDefinition; skipSource?: boolean },
): Promise<Judgement> {
  const { environment, deps } = c.var;
  const { violations, warnings } = await reviewModel(deps.db, { environment, ...model });
  if (violations.length > 0 || model.skipSource === true) return { errors: violations, warnings };
  const { connectionId } = await sourceOf(c, model.definition);
  const { definition, withPlan } = model;
  const report = await probeModel(c, { connectionId, model: definition, withPlan });
  const { errors, sql, plan, sampledRows } = report;
  return { errors, warnings: [...warnings, ...report.warnings], sql, plan, sampledRows };
}

/** The same for a model of any form: what is no model at all is an error like any other. */
export async function judgeInput(
  c: Context<AppEnv>,
  { input, ...more }: Judged & { input: unknown },
): Promise<Judgement & { modelName: string | null }> {
  try {
    const definition = parseModel(input);
    const judgement = await judgeModel(c, { definition, ...more });
    return { ...judgement, modelName: definition.model_name };
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'invalid') throw error;
    return { errors: error.violations, warnings: [], modelName: nameIn(input) };
  }
}

function nameIn(input: unknown): string | null {
  const named = typeof input === 'object' && input !== null && 'model_name' in input;
  return named && typeof input.model_name === 'string' ? input.model_name : null;
}

/** The source that a model names, or the only one. @throws Failure `invalid` where it is not clear which. */
export async function sourceOf(c: Context<AppEnv>, named: SourceNames): Promise<SourceRecord> {
  const { environment, deps } = c.var;
  const resolved = resolveSource(named, await readSources(deps.db, { environment }));
  if ('violation' in resolved) throw invalid([resolved.violation]);
  return await getSource(deps.db, { environment, id: resolved.source.id });
}
