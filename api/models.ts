import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ModelWrite } from '../db/models.ts';
import { deleteModel, getModel, insertModel, listModels, updateModel } from '../db/models.ts';
import type { Violation } from '../domain/failure.ts';
import type { AppEnv } from './deps.ts';
import { EmptyEnvelope, envelopeOf, pageOf, singleOf, success } from './envelope.ts';
import { invalid } from './errors.ts';
import { scopeOf } from './grants.ts';
import { CommaList, ModelRef, bareOrWrapped } from './inputs.ts';
import { judgeModel } from './model-judgement.ts';
import {
  Model,
  ModelInput,
  ModelWritten,
  SparseModel,
  mergeModel,
  modelPresenter,
  modelExample,
  parseModel,
  presentModel,
  unknownKeys,
} from './model-object.ts';
import { PageQuery, pageAnswer, wholeListOf } from './paging.ts';
import { createRouter } from './router.ts';
import { answers, body, withKey, withKeyOrToken } from './routes.ts';

const params = z.object({ model_id: ModelRef });

/** The flag may stand in the query, beside the model or inside it; it is not stored. */
export const SkipQuery = z.object({
  skip_model_validation: z.enum(['true', 'false', '']).optional(),
});

export const models = createRouter()
  .openapi(
    createRoute({
      ...withKeyOrToken,
      method: 'get',
      path: '/models',
      tags: ['Models'],
      summary: 'List models',
      request: { query: PageQuery.extend({ model_name: CommaList, product_name: CommaList }) },
      responses: answers(pageOf('models', Model), 400, 401),
    }),
    async (c) => {
      const query = c.req.valid('query');
      const page = await listModels(c.var.deps.db, {
        ...scopeOf(c),
        page: wholeListOf(c, query),
        names: query.model_name,
        productNames: query.product_name,
      });
      return c.json(pageAnswer(c, { key: 'models', page, present: modelPresenter(c) }), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/models',
      tags: ['Models'],
      summary: 'Publish a model',
      description:
        'Checked by form, and by a worker against its source unless skip_model_validation is true.',
      request: { query: SkipQuery, body: body(bareOrWrapped('model', ModelInput), modelExample) },
      responses: answers(envelopeOf(ModelWritten), 400, 401, 409, 503),
    }),
    async (c) => {
      const { model: input } = c.req.valid('json');
      const definition = parseModel(input);
      const { errors, warnings } = await judgeModel(c, {
        definition,
        skipSource: await wantsSkip(c, input),
      });
      if (errors.length > 0) throw invalid(errors);
      const { environment, deps } = c.var;
      const written = await insertModel(deps.db, { environment, definition, audit: modelAudit(c) });
      return c.json(
        success(writtenOut(written, [...unknownKeys(input), ...warnings]), 'Model created'),
        200,
      );
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/models/{model_id}',
      tags: ['Models'],
      summary: 'Read a model',
      request: { params },
      responses: answers(singleOf('model', Model), 401, 404),
    }),
    async (c) => {
      const { model_id: idOrName } = c.req.valid('param');
      const model = await getModel(c.var.deps.db, { environment: c.var.environment, idOrName });
      return c.json(success({ model: presentModel(model) }, 'Model'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'patch',
      path: '/models/{model_id}',
      tags: ['Models'],
      summary: 'Change a model: makes a new revision',
      request: {
        params,
        query: SkipQuery,
        body: body(bareOrWrapped('model', SparseModel), {
          model: { description: 'One row per invoice' },
        }),
      },
      responses: answers(envelopeOf(ModelWritten), 400, 401, 404, 409, 503),
    }),
    async (c) => {
      const { model_id: idOrName } = c.req.valid('param');
      const { model: patch } = c.req.valid('json');
      const { environment, deps } = c.var;
      const stored = await getModel(deps.db, { environment, idOrName });
      if (Object.keys(patch).every((key) => key === 'skip_model_validation')) {
        return c.json(
          success(writtenOut({ model: stored, warnings: [] }, []), 'Model unchanged'),
          200,
        );
      }
      const definition = parseModel(mergeModel(stored.definition, patch));
      const skipSource = await wantsSkip(c, patch);
      const { errors, warnings } = await judgeModel(c, {
        definition,
        idOrName: stored.id,
        skipSource,
      });
      if (errors.length > 0) throw invalid(errors);
      const change = { environment, idOrName: stored.id, definition, basedOn: stored.revisionId };
      const written = await updateModel(deps.db, { ...change, audit: modelAudit(c) });
      return c.json(
        success(writtenOut(written, [...unknownKeys(patch), ...warnings]), 'Model updated'),
        200,
      );
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'delete',
      path: '/models/{model_id}',
      tags: ['Models'],
      summary: 'Delete a model',
      description:
        'It is no longer transferred; its name stays taken and its rows stay where they landed.',
      request: { params },
      responses: answers(EmptyEnvelope, 401, 404),
    }),
    async (c) => {
      const { model_id: idOrName } = c.req.valid('param');
      await deleteModel(c.var.deps.db, {
        environment: c.var.environment,
        idOrName,
        audit: modelAudit(c),
      });
      return c.json(success({}, 'Model deleted'), 200);
    },
  );

/** Whether the writer asks not to hold the model against its source. @throws Failure `invalid` */
export async function wantsSkip(
  c: Context<AppEnv>,
  model: Record<string, unknown>,
): Promise<boolean> {
  const beside = (await c.req.json<Record<string, unknown>>())['skip_model_validation'];
  const flags = [
    c.req.query('skip_model_validation') === 'true',
    model['skip_model_validation'],
    beside,
  ];
  for (const flag of flags) {
    if (flag !== undefined && flag !== null && typeof flag !== 'boolean') {
      const message = 'skip_model_validation must be true or false.';
      throw invalid([{ path: 'skip_model_validation', code: 'invalid_type', message }]);
    }
  }
  return flags.includes(true);
}

export function writtenOut({ model }: ModelWrite, warnings: readonly Violation[]) {
  return { model: presentModel(model), warnings: [...warnings] };
}

export function modelAudit(c: { var: AppEnv['Variables'] }) {
  return { actor: c.var.actor, present: presentModel };
}
