import { createRoute, z } from '@hono/zod-openapi';
import type { WebhookRecord } from '../db/webhooks.ts';
import {
  deleteWebhook,
  getWebhook,
  insertWebhook,
  listWebhooks,
  updateWebhook,
} from '../db/webhooks.ts';
import { instantOut } from '../domain/outputs.ts';
import type { AppEnv } from './deps.ts';
import { EmptyEnvelope, pageOf, singleOf, success } from './envelope.ts';
import { Name, PathId, wrapped } from './inputs.ts';
import { PageQuery, pageAnswer, pageRequestOf } from './paging.ts';
import { createRouter } from './router.ts';
import { answers, body, withKey } from './routes.ts';
import { ApiKey, Url } from './webhooks.ts';

// Endpoints that are told what drivers said, rows and all. They are webhooks of another kind.

const kind = 'trace' as const;
const key = 'sensitive_trace_endpoint';
const path = '/sensitive-trace-endpoints';

const Endpoint = z
  .object({
    id: z.uuid(),
    name: z.string(),
    url: z.string(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi('SensitiveTraceEndpoint');

const EndpointInput = z
  .object({ name: Name, url: Url, api_key: ApiKey })
  .openapi('SensitiveTraceEndpointInput');
const EndpointPatch = EndpointInput.partial().openapi('SensitiveTraceEndpointPatch');

const example = { [key]: { name: 'Vault', url: 'https://vault.example.com/traces' } };

function presentEndpoint(endpoint: WebhookRecord) {
  return {
    id: endpoint.id,
    name: endpoint.name,
    url: endpoint.url,
    created_at: instantOut(endpoint.createdAt),
    updated_at: instantOut(endpoint.updatedAt),
  };
}

function auditOf(c: { var: AppEnv['Variables'] }) {
  return { actor: c.var.actor, present: presentEndpoint };
}

const tags = ['Webhooks'];
const one = { ...withKey, tags, path: `${path}/{id}` as const };
const params = z.object({ id: PathId });

export const traceEndpoints = createRouter()
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path,
      tags,
      summary: 'List endpoints for sensitive traces',
      request: { query: PageQuery },
      responses: answers(pageOf('sensitive_trace_endpoints', Endpoint), 400, 401),
    }),
    async (c) => {
      const page = await listWebhooks(c.var.deps.db, {
        environment: c.var.environment,
        kind,
        page: pageRequestOf(c.req.valid('query')),
      });
      const list = { key: 'sensitive_trace_endpoints' as const, page, present: presentEndpoint };
      return c.json(pageAnswer(c, list), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path,
      tags,
      summary: 'Add an endpoint for sensitive traces',
      description: 'It is told what drivers said when transfers failed; that may quote rows.',
      request: { body: body(wrapped(key, EndpointInput), example) },
      responses: answers(singleOf(key, Endpoint), 400, 401),
    }),
    async (c) => {
      const { sensitive_trace_endpoint: input } = c.req.valid('json');
      const { environment, deps } = c.var;
      const endpoint = await insertWebhook(deps.db, {
        environment,
        kind,
        vendor: 'generic_post',
        name: input.name,
        url: input.url,
        events: [],
        isEnabled: true,
        apiKey: input.api_key || undefined,
        sealer: deps.sealer,
        audit: auditOf(c),
      });
      return c.json(success({ [key]: presentEndpoint(endpoint) }, 'Endpoint created'), 200);
    },
  )
  .openapi(
    createRoute({
      ...one,
      method: 'get',
      summary: 'Read an endpoint for sensitive traces',
      request: { params },
      responses: answers(singleOf(key, Endpoint), 401, 404),
    }),
    async (c) => {
      const { id } = c.req.valid('param');
      const { environment, deps } = c.var;
      const endpoint = await getWebhook(deps.db, { environment, id, kind });
      return c.json(success({ [key]: presentEndpoint(endpoint) }, 'Endpoint'), 200);
    },
  )
  .openapi(
    createRoute({
      ...one,
      method: 'patch',
      summary: 'Change an endpoint for sensitive traces',
      request: { params, body: body(wrapped(key, EndpointPatch), { [key]: { name: 'Other' } }) },
      responses: answers(singleOf(key, Endpoint), 400, 401, 404),
    }),
    async (c) => {
      const { id } = c.req.valid('param');
      const { sensitive_trace_endpoint: patch } = c.req.valid('json');
      const { environment, deps } = c.var;
      const endpoint = await updateWebhook(deps.db, {
        environment,
        id,
        kind,
        change: { name: patch.name, url: patch.url, apiKey: patch.api_key || undefined },
        sealer: deps.sealer,
        audit: auditOf(c),
      });
      return c.json(success({ [key]: presentEndpoint(endpoint) }, 'Endpoint updated'), 200);
    },
  )
  .openapi(
    createRoute({
      ...one,
      method: 'delete',
      summary: 'Delete an endpoint for sensitive traces',
      request: { params },
      responses: answers(EmptyEnvelope, 401, 404),
    }),
    async (c) => {
      const { id } = c.req.valid('param');
      const { environment, deps } = c.var;
      await deleteWebhook(deps.db, { environment, id, kind, audit: auditOf(c) });
      return c.json(success({}, 'Endpoint deleted'), 200);
    },
  );
