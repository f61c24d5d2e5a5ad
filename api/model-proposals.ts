import { createRoute, z } from '@hono/zod-openapi';
import { parseRelation } from '../domain/model.ts';
import { proposeModel } from '../domain/propose-model.ts';
import { ErrorDetail, envelopeOf, success } from './envelope.ts';
import { invalid } from './errors.ts';
import { sourceOf } from './model-judgement.ts';
import { probeTable } from './probes.ts';
import { createRouter } from './router.ts';
import { answers, body, withKey } from './routes.ts';

const Ask = z.object({
  source_name: z.string().nullish(),
  source_id: z.uuid().nullish(),
  source_table: z.string().min(1),
});

const ProposedModel = z
  .object({
    model_name: z.string(),
    source_name: z.string(),
    source_table: z.string(),
    organization_column: z.string().optional(),
    columns: z.array(
      z.object({
        name_in_source: z.string(),
        name_in_destination: z.string(),
        data_type: z.string(),
        is_primary_key: z.boolean().optional(),
        is_last_modified: z.boolean().optional(),
        description: z.string().nullish(),
      }),
    ),
  })
  .openapi('ProposedModel');

const Proposal = z.object({
  model: ProposedModel,
  notes: z.array(ErrorDetail).openapi({ description: 'What to look at before it is published.' }),
});

export const modelProposals = createRouter().openapi(
  createRoute({
    ...withKey,
    method: 'post',
    path: '/actions/infer-model',
    tags: ['Models'],
    summary: 'Propose a model of a table of a source',
    description: 'By what its catalogue says, which a worker reads. Nothing is stored.',
    request: {
      body: body(Ask, { source_name: 'billing', source_table: 'public.invoice' }),
    },
    responses: answers(envelopeOf(Proposal), 400, 401, 503),
  }),
  async (c) => {
    const ask = c.req.valid('json');
    const source = await sourceOf(c, ask);
    const { connectionId, name } = source;
    const { columns, errors } = await probeTable(c, { connectionId, table: ask.source_table });
    if (errors.length > 0) throw invalid(errors);
    const { table } = parseRelation(ask.source_table);
    const named = { sourceName: name, sourceTable: ask.source_table, table };
    const { model, notes } = proposeModel({ ...named, columns });
    const data = { model: { ...model, columns: [...model.columns] }, notes: [...notes] };
    return c.json(success(data, 'Proposal'), 200);
  },
);
