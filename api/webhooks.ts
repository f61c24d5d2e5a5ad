import { createRoute, z } from '@hono/zod-openapi';
import type { WebhookRecord } from '../db/webhooks.ts';
import {
  deleteWebhook,
  getWebhook,
  insertWebhook,
  listWebhooks,
  updateWebhook,
} from '../db/webhooks.ts';
import { noticeTypes, webhookVendors } from '../domain/notices.ts';
import { instantOut } from '../domain/outputs.ts';
import { noticeVersion } from '../domain/webhook-request.ts';
import type { AppEnv } from './deps.ts';
import { EmptyEnvelope, pageOf, singleOf, success } from './envelope.ts';
import { Name, PathId, wrapped } from './inputs.ts';
import { PageQuery, pageAnswer, pageRequestOf } from './paging.ts';
import { createRouter } from './router.ts';
import { answers, body, withKey } from './routes.ts';

const Webhook = z
  .object({
    id: z.uuid(),
    name: z.string(),
    vendor: z.enum(webhookVendors),
    url: z.string(),
    events: z.array(z.string()),
    api_version: z.string(),
    is_enabled: z.boolean(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi('Webhook');

/** Whether the address is allowed is known when it is sent to: names change where they point. */
export const Url = z.string().trim().max(2048).refine(isHttpUrl, {
  error: 'must be an http or https URL without a user name or password in it.',
});

const Events = z
  .array(z.enum(noticeTypes as [string, ...string[]]))
  .min(1)
  .max(100)
  .transform((events) => [...new Set(events)] as WebhookRecord['events']);

const ApiVersion = z
  .literal(noticeVersion, { error: `must be ${noticeVersion}, the only one there is.` })
  .optional();

export const ApiKey = z.string().max(4096).nullish().openapi({ description: 'Write-only.' });

const WebhookInput = z
  .object({
    vendor: z.enum(webhookVendors),
    name: Name.optional(),
    url: Url,
    events: Events,
    api_version: ApiVersion,
    api_key: ApiKey,
    is_enabled: z.boolean().nullish(),
  })
  .openapi('WebhookInput');

const WebhookPatch = z
  .object({
    vendor: z.enum(webhookVendors).optional(),
    name: Name.optional(),
    url: Url.optional(),
    events: Events.optional(),
    api_version: ApiVersion,
    api_key: ApiKey,
    is_enabled: z.boolean().nullish(),
  })
  .openapi('WebhookPatch');

const example = {
  webhook: {
    vendor: 'generic_post',
    name: 'Our backend',
    url: 'https://backend.example.com/hooks/waybill',
    events: ['transfer.success', 'transfer.error'],
  },
};

/** The object of the API. */
export function presentWebhook(webhook: WebhookRecord) {
  return {
    id: webhook.id,
    name: webhook.name,
    vendor: webhook.vendor,
    url: webhook.url,
    events: [...webhook.events] as string[],
    api_version: noticeVersion,
    is_enabled: webhook.isEnabled,
    created_at: instantOut(webhook.createdAt),
    updated_at: instantOut(webhook.updatedAt),
  };
}

const params = z.object({ webhook_id: PathId });

export const webhooks = createRouter()
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/webhooks',
      tags: ['Webhooks'],
      summary: 'List webhooks',
      request: { query: PageQuery },
      responses: answers(pageOf('webhooks', Webhook), 400, 401),
    }),
    async (c) => {
      const { environment, deps } = c.var;
      const page = await listWebhooks(deps.db, {
        environment,
        page: pageRequestOf(c.req.valid('query')),
      });
      return c.json(pageAnswer(c, { key: 'webhooks', page, present: presentWebhook }), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/webhooks',
      tags: ['Webhooks'],
      summary: 'Add a webhook',
      request: { body: body(wrapped('webhook', WebhookInput), example) },
      responses: answers(singleOf('webhook', Webhook), 400, 401),
    }),
    async (c) => {
      const { webhook: input } = c.req.valid('json');
      const { environment, deps } = c.var;
      const webhook = await insertWebhook(deps.db, {
        environment,
        vendor: input.vendor,
        name: input.name ?? input.vendor,
        url: input.url,
        events: input.events,
        isEnabled: input.is_enabled ?? true,
        apiKey: input.api_key || undefined,
        sealer: deps.sealer,
        audit: auditOf(c),
      });
      return c.json(success({ webhook: presentWebhook(webhook) }, 'Webhook created'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/webhooks/{webhook_id}',
      tags: ['Webhooks'],
      summary: 'Read a webhook',
      request: { params },
      responses: answers(singleOf('webhook', Webhook), 401, 404),
    }),
    async (c) => {
      const { webhook_id: id } = c.req.valid('param');
      const { environment, deps } = c.var;
      const webhook = await getWebhook(deps.db, { environment, id });
      return c.json(success({ webhook: presentWebhook(webhook) }, 'Webhook'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'patch',
      path: '/webhooks/{webhook_id}',
      tags: ['Webhooks'],
      summary: 'Change a webhook',
      request: {
        params,
        body: body(wrapped('webhook', WebhookPatch), { webhook: { is_enabled: false } }),
      },
      responses: answers(singleOf('webhook', Webhook), 400, 401, 404),
    }),
    async (c) => {
      const { webhook_id: id } = c.req.valid('param');
      const { webhook: patch } = c.req.valid('json');
      const { environment, deps } = c.var;
      const webhook = await updateWebhook(deps.db, {
        environment,
        id,
        change: {
          name: patch.name,
          url: patch.url,
          events: patch.events,
          isEnabled: patch.is_enabled ?? undefined,
          apiKey: patch.api_key || undefined,
        },
        sealer: deps.sealer,
        audit: auditOf(c),
      });
      return c.json(success({ webhook: presentWebhook(webhook) }, 'Webhook updated'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'delete',
      path: '/webhooks/{webhook_id}',
      tags: ['Webhooks'],
      summary: 'Delete a webhook',
      request: { params },
      responses: answers(EmptyEnvelope, 401, 404),
    }),
    async (c) => {
      const { webhook_id: id } = c.req.valid('param');
      const { environment, deps } = c.var;
      await deleteWebhook(deps.db, { environment, id, audit: auditOf(c) });
      return c.json(success({}, 'Webhook deleted'), 200);
    },
  );

function auditOf(c: { var: AppEnv['Variables'] }) {
  return { actor: c.var.actor, present: presentWebhook };
}

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text);
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  return isHttp && url.username === '' && url.password === '';
}
