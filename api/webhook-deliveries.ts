import { createRoute, z } from '@hono/zod-openapi';
import type { DeliveryRecord } from '../db/webhooks.ts';
import { getWebhook, insertTestNotice, listDeliveries, redeliver } from '../db/webhooks.ts';
import { currentSigningKey, listRetiredKeys } from '../db/signing-keys.ts';
import { instantOut, optionalInstantOut } from '../domain/outputs.ts';
import { deliveryStatuses } from '../domain/statuses.ts';
import { envelopeOf, pageOf, success } from './envelope.ts';
import { PathId } from './inputs.ts';
import { PageQuery, pageAnswer, pageRequestOf } from './paging.ts';
import { createRouter } from './router.ts';
import { answers, open, withKey } from './routes.ts';
import { presentWebhook } from './webhooks.ts';

const Delivery = z
  .object({
    id: z.uuid(),
    event_id: z.uuid(),
    type: z.string(),
    resource_id: z.string(),
    status: z.enum(deliveryStatuses),
    created_at: z.iso.datetime(),
    ended_at: z.iso.datetime().nullable(),
    attempts: z.array(
      z.object({
        at: z.iso.datetime(),
        status_code: z.int().nullable().openapi({ description: 'Of the answer, if one came.' }),
        error: z.string().nullable(),
        millis: z.int(),
      }),
    ),
  })
  .openapi('Delivery');

function presentDelivery(delivery: DeliveryRecord) {
  return {
    id: delivery.id,
    event_id: delivery.noticeId,
    type: delivery.type,
    resource_id: delivery.resourceId,
    status: delivery.status,
    created_at: instantOut(delivery.createdAt),
    ended_at: optionalInstantOut(delivery.endedAt),
    attempts: delivery.attempts.map(({ at, statusCode, error, millis }) => ({
      at: instantOut(at),
      status_code: statusCode,
      error,
      millis,
    })),
  };
}

const params = z.object({ webhook_id: PathId });
const DeliveryId = envelopeOf(z.object({ delivery_id: z.uuid() }));

const PublicKey = envelopeOf(
  z.object({
    public_key: z.string(),
    key_id: z.uuid(),
    previous_public_keys: z.array(z.object({ public_key: z.string(), key_id: z.uuid() })),
  }),
);

/** What became of notices, and what receivers need to believe them. */
export const webhookDeliveries = createRouter()
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/webhooks/{webhook_id}/deliveries',
      tags: ['Webhooks'],
      summary: 'List what a webhook was told, with every attempt',
      request: { params, query: PageQuery },
      responses: answers(pageOf('deliveries', Delivery), 400, 401, 404),
    }),
    async (c) => {
      const { webhook_id: id } = c.req.valid('param');
      const { environment, deps } = c.var;
      await getWebhook(deps.db, { environment, id });
      const page = await listDeliveries(deps.db, {
        webhookId: id,
        page: pageRequestOf(c.req.valid('query')),
      });
      return c.json(pageAnswer(c, { key: 'deliveries', page, present: presentDelivery }), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver',
      tags: ['Webhooks'],
      summary: 'Tell a webhook the same event once more',
      request: { params: params.extend({ delivery_id: PathId }) },
      responses: answers(DeliveryId, 401, 404),
    }),
    async (c) => {
      const { webhook_id: id, delivery_id: deliveryId } = c.req.valid('param');
      const { environment, deps } = c.var;
      await getWebhook(deps.db, { environment, id });
      const again = await redeliver(deps.db, { webhookId: id, deliveryId });
      return c.json(success({ delivery_id: again }, 'Delivery queued'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/webhooks/{webhook_id}/test',
      tags: ['Webhooks'],
      summary: 'Send a webhook an event of the type webhook.test',
      request: { params },
      responses: answers(DeliveryId, 401, 404),
    }),
    async (c) => {
      const { webhook_id: id } = c.req.valid('param');
      const { environment, deps } = c.var;
      const webhook = await getWebhook(deps.db, { environment, id });
      const data = presentWebhook(webhook);
      const deliveryId = await insertTestNotice(deps.db, { environment, webhook, data });
      return c.json(success({ delivery_id: deliveryId }, 'Test queued'), 200);
    },
  )
  .openapi(
    createRoute({
      ...open,
      method: 'get',
      path: '/public/signatures/webhook-public-key',
      tags: ['Public'],
      summary: 'The key that verifies the signature of notices',
      responses: answers(PublicKey, 400),
    }),
    async (c) => {
      const { db, sealer } = c.var.deps;
      const current = await currentSigningKey(db, sealer);
      const retired = await listRetiredKeys(db);
      const previous = retired.map(({ id, publicKey }) => ({ public_key: publicKey, key_id: id }));
      const shown = { public_key: current.publicKey, key_id: current.id };
      return c.json(success({ ...shown, previous_public_keys: previous }, 'Public key'), 200);
    },
  );
