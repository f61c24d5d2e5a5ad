import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { listModelDestinations } from '../db/model-destinations.ts';
import { readSources } from '../db/model-names.ts';
import { listModels, type ModelRecord } from '../db/models.ts';
import { Failure } from '../domain/failure.ts';
import { sharedTableOf, type ModelDefinition } from '../domain/model.ts';
import { changeOf, effectAt } from '../domain/model-effect.ts';
import { resolveSource } from '../domain/model-rules.ts';
import type { AppEnv } from './deps.ts';
import { ErrorDetail, envelopeOf, success } from './envelope.ts';
import { bareOrWrapped } from './inputs.ts';
import { judgeModel } from './model-judgement.ts';
import { ModelInput, modelExample, parseModel, unknownKeys } from './model-object.ts';
import { SkipQuery, wantsSkip } from './models.ts';
import { createRouter } from './router.ts';
import { answers, body, withKey } from './routes.ts';

/** Destinations that a plan names one by one; the counts are of all. */
const destinationsMax = 100;

const names = z.array(z.string());

const PlannedDestination = z.object({
  destination_id: z.uuid(),
  name: z.string(),
  recipient_id: z.uuid(),
  action: z.enum(['none', 'change', 'first_load', 'refused']),
  added_columns: names,
  widened_columns: names,
  columns_no_longer_written: names,
  reason: z.string().nullable(),
});

export const ModelPlan = z
  .object({
    status: z.enum(['success', 'error']),
    model_name: z.string(),
    change: z.enum(['create', 'update', 'none']),
    changed_fields: names,
    added_columns: names,
    removed_columns: names,
    starts_over: z.boolean().openapi({
      description: 'The copies that are there are copies of something else: all load anew.',
    }),
    errors: z.array(ErrorDetail).openapi({ description: 'Why it would be refused.' }),
    warnings: z.array(ErrorDetail),
    counts: z.object({
      destinations: z.int(),
      ...{ none: z.int(), change: z.int(), first_load: z.int(), refused: z.int() },
    }),
    destinations: z.array(PlannedDestination).openapi({
      description: `The first ${destinationsMax} for which anything changes, by the state we know.`,
    }),
  })
  .openapi('ModelPlan');
export type ModelPlan = z.infer<typeof ModelPlan>;

export const modelPlans = createRouter().openapi(
  createRoute({
    ...withKey,
    method: 'post',
    path: '/actions/plan-model',
    tags: ['Models'],
    summary: 'What publishing a model file would change, and where',
    description:
      'A dry run: nothing is stored, no destination is opened. What stands at a destination is taken from the ' +
      'last successful transfer to it.',
    request: { query: SkipQuery, body: body(bareOrWrapped('model', ModelInput), modelExample) },
    responses: answers(envelopeOf(ModelPlan), 400, 401, 503),
  }),
  async (c) => {
    const { model: input } = c.req.valid('json');
    const definition = parseModel(input);
    const stored = await storedModel(c, definition.model_name);
    const skipSource = await wantsSkip(c, input);
    const judged = { definition, idOrName: stored?.id, skipSource };
    const { errors, warnings } = await judgeModel(c, judged);
    const plan = {
      status: errors.length === 0 ? ('success' as const) : ('error' as const),
      model_name: definition.model_name,
      errors: [...errors],
      warnings: [...unknownKeys(input), ...warnings],
      ...(await planOf(c, { definition, stored })),
    };
    return c.json(success(plan, errors[0]?.message ?? 'Plan'), 200);
  },
);

async function storedModel(c: Context<AppEnv>, name: string): Promise<ModelRecord | undefined> {
  const { environment, deps } = c.var;
  const page = { pageSize: 1, order: 'asc' as const };
  return (await listModels(deps.db, { environment, page, names: [name] })).items[0];
}

interface Planned {
  readonly definition: ModelDefinition;
  readonly stored: ModelRecord | undefined;
}

/** Also of a model that would be refused, as long as it can be read: what changes shows why. */
async function planOf(c: Context<AppEnv>, { definition, stored }: Planned) {
  if (!isReadable(definition)) return unknownPlan;
  const { environment, deps } = c.var;
  const resolved = resolveSource(definition, await readSources(deps.db, { environment }));
  const sourceId = 'source' in resolved ? resolved.source.id : stored?.sourceId;
  const after = { definition, sourceId: sourceId ?? '' };
  const change = changeOf(stored, after);
  const wanted = { environment, modelName: definition.model_name, modelId: stored?.id };
  const places = await listModelDestinations(deps.db, wanted);
  const planned = places.map(({ applied, ...place }) => ({
    ...place,
    ...effectAt(definition, { applied, startsOver: change.startsOver }),
  }));
  const count = (action: string) => planned.filter((one) => one.action === action).length;
  return {
    change: change.kind,
    changed_fields: [...change.fields],
    added_columns: [...change.addedColumns],
    removed_columns: [...change.removedColumns],
    starts_over: change.startsOver,
    counts: {
      destinations: planned.length,
      ...{ none: count('none'), change: count('change') },
      ...{ first_load: count('first_load'), refused: count('refused') },
    },
    destinations: planned
      .filter(({ action }) => action !== 'none')
      .slice(0, destinationsMax)
      .map((one) => ({
        ...{ destination_id: one.id, name: one.name, recipient_id: one.recipientId },
        ...{ action: one.action, reason: one.reason ?? null },
        ...{ added_columns: [...one.adds], widened_columns: [...one.widens] },
        ...{ columns_no_longer_written: [...one.leaves] },
      })),
  };
}

/** Of a file without a key, or with a type that is none: what it would make cannot be said. */
const unknownPlan = {
  ...{ change: 'none' as const, changed_fields: [], added_columns: [], removed_columns: [] },
  starts_over: false,
  counts: { destinations: 0, none: 0, change: 0, first_load: 0, refused: 0 },
  destinations: [],
};

function isReadable(definition: ModelDefinition): boolean {
  try {
    sharedTableOf(definition);
    return true;
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}
