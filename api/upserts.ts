import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ModelRecord, ModelWrite } from '../db/models.ts';
import { getModel, insertModel, updateModel } from '../db/models.ts';
import { getProduct, insertProduct, updateProduct } from '../db/products.ts';
import { Failure } from '../domain/failure.ts';
import type { ModelDefinition } from '../domain/model.ts';
import type { AppEnv } from './deps.ts';
import { envelopeOf, singleOf, success } from './envelope.ts';
import { invalid } from './errors.ts';
import { ModelRef, bareOrWrapped } from './inputs.ts';
import { judgeModel } from './model-judgement.ts';
import { ModelInput, ModelWritten, modelExample, parseModel, unknownKeys } from './model-object.ts';
import { SkipQuery, modelAudit, wantsSkip, writtenOut } from './models.ts';
import { Product, ProductPatch, presentProduct, productAudit } from './products.ts';
import { createRouter } from './router.ts';
import { answers, body, withKey } from './routes.ts';

/** Create or replace by name: what a command line that keeps files in step wants. */
export const upserts = createRouter()
  .openapi(
    createRoute({
      ...withKey,
      method: 'put',
      path: '/models/{model_id}',
      tags: ['Models'],
      summary: 'Create a model under this name, or replace it whole',
      request: {
        params: z.object({ model_id: ModelRef }),
        query: SkipQuery,
        body: body(bareOrWrapped('model', ModelInput), modelExample),
      },
      responses: answers(envelopeOf(ModelWritten), 400, 401, 409, 503),
    }),
    async (c) => {
      const { model_id: reference } = c.req.valid('param');
      const { model: input } = c.req.valid('json');
      const { environment, deps } = c.var;
      const stored = await orNothing(getModel(deps.db, { environment, idOrName: reference }));
      const definition = parseModel({ model_name: stored?.name ?? reference, ...input });
      checkName(definition.model_name, stored?.name ?? reference);
      const skipSource = await wantsSkip(c, input);
      const judged = { definition, idOrName: stored?.id, skipSource };
      const { errors, warnings } = await judgeModel(c, judged);
      if (errors.length > 0) throw invalid(errors);
      const written = await writeModel(c, { definition, stored });
      const message = stored === undefined ? 'Model created' : 'Model replaced';
      const answer = writtenOut(written, [...unknownKeys(input), ...warnings]);
      return c.json(success(answer, message), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'put',
      path: '/products/{product_name}',
      tags: ['Products'],
      summary: 'Create a product under this name, or replace its models',
      request: {
        params: z.object({ product_name: z.string().min(1).max(255) }),
        body: body(bareOrWrapped('product', ProductPatch.required()), { models: ['invoices'] }),
      },
      responses: answers(singleOf('product', Product), 400, 401, 409),
    }),
    async (c) => {
      const { product_name: name } = c.req.valid('param');
      const { models } = c.req.valid('json').product;
      const { environment, deps } = c.var;
      const stored = await orNothing(getProduct(deps.db, { environment, name }));
      const write = stored === undefined ? insertProduct : updateProduct;
      const product = await write(deps.db, { environment, name, models, audit: productAudit(c) });
      const message = stored === undefined ? 'Product created' : 'Product replaced';
      return c.json(success({ product: presentProduct(product) }, message), 200);
    },
  );

async function writeModel(
  c: Context<AppEnv>,
  { definition, stored }: { definition: ModelDefinition; stored: ModelRecord | undefined },
): Promise<ModelWrite> {
  const { environment, deps } = c.var;
  const audit = modelAudit(c);
  if (stored === undefined) return await insertModel(deps.db, { environment, definition, audit });
  const change = { environment, idOrName: stored.id, basedOn: stored.revisionId };
  return await updateModel(deps.db, { ...change, definition, audit });
}

function checkName(given: string, ofPath: string): void {
  if (given === ofPath) return;
  const message = `model.model_name is ${given}, the path says ${ofPath}. Make them equal.`;
  throw invalid([{ path: 'model.model_name', code: 'two_names', message }]);
}

async function orNothing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Failure && error.kind === 'not_found') return undefined;
    throw error;
  }
}
