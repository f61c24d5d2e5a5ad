import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { getModel, listModels } from '../db/models.ts';
import { getProduct } from '../db/products.ts';
import { mapLimit } from '../lib/map-limit.ts';
import type { AppEnv } from './deps.ts';
import { ErrorDetail, envelopeOf, success } from './envelope.ts';
import { ModelRef, bareOrWrapped } from './inputs.ts';
import type { Judgement } from './model-judgement.ts';
import { judgeInput } from './model-judgement.ts';
import { ModelInput, SparseModel, mergeModel, modelExample, unknownKeys } from './model-object.ts';
import { createRouter } from './router.ts';
import { answers, body, withKey } from './routes.ts';

const outcome = {
  status: z
    .enum(['success', 'error'])
    .openapi({ description: '`success` where there are no errors.' }),
  errors: z.array(ErrorDetail),
  warnings: z.array(ErrorDetail),
};

const ModelCheck = z
  .object({
    ...outcome,
    model_name: z.string().nullable(),
    sampled_rows: z.int().openapi({ description: 'Rows looked at, 100 at most.' }),
    sql: z.string().nullable().openapi({
      description:
        'The statement that a first load sends, its values masked. Null while there are errors.',
    }),
    plan: z
      .string()
      .nullable()
      .openapi({ description: "The source's plan for it, where asked for." }),
  })
  .openapi('ModelCheck');

const ProductCheck = z
  .object({ ...outcome, product_name: z.string(), models: z.array(ModelCheck) })
  .openapi('ProductCheck');

const ValidateInput = z.object({
  model: SparseModel.nullish(),
  plan: z.boolean().nullish().openapi({ description: 'Ask the source for its plan too.' }),
});

const probesAtOnceMax = 4;

const noBody = body(z.looseObject({}), {});

export const modelChecks = createRouter()
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/models/{model_id}/validate',
      tags: ['Models'],
      summary: 'Check a stored model again',
      description: 'Fields under `model` override the stored ones for this call only.',
      request: {
        params: z.object({ model_id: ModelRef }),
        body: body(ValidateInput, { plan: true }),
      },
      responses: answers(envelopeOf(ModelCheck), 400, 401, 404, 503),
    }),
    async (c) => {
      const { model_id: idOrName } = c.req.valid('param');
      const { model, plan } = c.req.valid('json');
      const patch = model ?? {};
      const { environment, deps } = c.var;
      const stored = await getModel(deps.db, { environment, idOrName });
      const input = mergeModel(stored.definition, patch);
      const judgement = await judgeInput(c, {
        input,
        idOrName: stored.id,
        withPlan: plan ?? false,
      });
      const check = checkOut({
        ...judgement,
        warnings: [...unknownKeys(patch), ...judgement.warnings],
      });
      return c.json(success(check, messageOf(check)), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/actions/validate-config',
      tags: ['Models'],
      summary: 'Check a model file without storing it',
      description: 'Judged as the next revision where there is a model of that name.',
      request: { body: body(bareOrWrapped('model', ModelInput), modelExample) },
      responses: answers(envelopeOf(ModelCheck), 400, 401, 503),
    }),
    async (c) => {
      const { model: input } = c.req.valid('json');
      const idOrName = await idOf(c, input['model_name']);
      const judgement = await judgeInput(c, { input, idOrName });
      const check = checkOut({
        ...judgement,
        warnings: [...unknownKeys(input), ...judgement.warnings],
      });
      return c.json(success(check, messageOf(check)), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/products/{product_name}/validate',
      tags: ['Products'],
      summary: 'Check every model of a product',
      request: {
        params: z.object({ product_name: z.string().openapi({ example: 'billing' }) }),
        body: noBody,
      },
      responses: answers(envelopeOf(ProductCheck), 401, 404, 503),
    }),
    async (c) => {
      const { product_name: name } = c.req.valid('param');
      const product = await getProduct(c.var.deps.db, { environment: c.var.environment, name });
      const models = await mapLimit(product.models, probesAtOnceMax, (modelName) =>
        checkNamed(c, modelName),
      );
      const errors = models.flatMap((model) => model.errors);
      const check = {
        status: errors.length === 0 ? ('success' as const) : ('error' as const),
        product_name: product.name,
        errors,
        warnings: models.flatMap((model) => model.warnings),
        models,
      };
      return c.json(success(check, messageOf(check)), 200);
    },
  );

/** The id of the live model of that name, if there is one. */
async function idOf(c: Context<AppEnv>, name: unknown): Promise<string | undefined> {
  if (typeof name !== 'string') return undefined;
  const { environment, deps } = c.var;
  const page = { pageSize: 1, order: 'asc' as const };
  const { items } = await listModels(deps.db, { environment, page, names: [name] });
  return items[0]?.id;
}

async function checkNamed(c: Context<AppEnv>, name: string) {
  const id = await idOf(c, name);
  if (id === undefined) {
    const message = `Model ${name} of the product does not exist any more.`;
    const errors = [{ path: 'product.models', code: 'unknown_model', message }];
    return checkOut({ modelName: name, errors, warnings: [] });
  }
  const { environment, deps } = c.var;
  const stored = await getModel(deps.db, { environment, idOrName: id });
  return checkOut(await judgeInput(c, { input: stored.definition, idOrName: id }));
}

function checkOut(judgement: Judgement & { modelName: string | null }) {
  const { modelName, errors, warnings, sql, plan, sampledRows } = judgement;
  return {
    status: errors.length === 0 ? ('success' as const) : ('error' as const),
    model_name: modelName,
    errors: [...errors],
    warnings: [...warnings],
    sampled_rows: sampledRows ?? 0,
    sql: sql ?? null,
    plan: plan ?? null,
  };
}

function messageOf({ errors }: { errors: readonly { message: string }[] }): string {
  return errors[0]?.message ?? 'Valid';
}
