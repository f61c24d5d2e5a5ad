import { createRoute, z } from '@hono/zod-openapi';
import type { RecipientRecord } from '../db/recipients.ts';
import {
  deleteRecipient,
  getRecipient,
  insertRecipient,
  listRecipients,
  updateRecipient,
} from '../db/recipients.ts';
import type { AppEnv } from './deps.ts';
import { EmptyEnvelope, pageOf, singleOf, success } from './envelope.ts';
import { CommaList, Name, PathId, wireInteger, wrapped } from './inputs.ts';
import { instantOut } from '../domain/outputs.ts';
import { PageQuery, pageAnswer, pageRequestOf } from './paging.ts';
import { createRouter } from './router.ts';
import { answers, body, withKey } from './routes.ts';

const Recipient = z
  .object({
    id: z.uuid(),
    name: z.string(),
    id_in_provider_system: z.string(),
    products: z.array(z.string()),
    default_full_refresh_min_start_time_epoch: z.int().nullable(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi('Recipient');

/** Compared as text, so kept as it came: nothing is trimmed. */
const TenantId = z
  .string()
  .min(1)
  .max(255)
  .openapi({ description: 'The value of the tenant column.' });

const StartEpoch = wireInteger({ min: 0, max: 253_402_300_799 });

const RecipientInput = z
  .object({
    name: Name,
    id_in_provider_system: TenantId,
    products: z.array(Name).max(1000).nullish(),
    default_full_refresh_min_start_time_epoch: StartEpoch.nullish(),
  })
  .openapi('RecipientInput');

const RecipientPatch = RecipientInput.partial().openapi('RecipientPatch');

const example = { recipient: { name: 'Northwind', id_in_provider_system: 'account-17' } };

/** The object of the API. */
export function presentRecipient(recipient: RecipientRecord) {
  return {
    id: recipient.id,
    name: recipient.name,
    id_in_provider_system: recipient.idInProviderSystem,
    products: recipient.products,
    default_full_refresh_min_start_time_epoch: recipient.defaultFullRefreshMinStartTimeEpoch,
    created_at: instantOut(recipient.createdAt),
    updated_at: instantOut(recipient.updatedAt),
  };
}

function auditOf(c: { var: AppEnv['Variables'] }) {
  return { actor: c.var.actor, present: presentRecipient };
}

const params = z.object({ recipient_id: PathId });

const ListQuery = PageQuery.extend({ id_in_provider_system: CommaList });

export const recipients = createRouter()
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/recipients',
      tags: ['Recipients'],
      summary: 'List recipients',
      request: { query: ListQuery },
      responses: answers(pageOf('recipients', Recipient), 400, 401),
    }),
    async (c) => {
      const query = c.req.valid('query');
      const page = await listRecipients(c.var.deps.db, {
        environment: c.var.environment,
        page: pageRequestOf(query),
        idsInProviderSystem: query.id_in_provider_system,
      });
      return c.json(pageAnswer(c, { key: 'recipients', page, present: presentRecipient }), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/recipients',
      tags: ['Recipients'],
      summary: 'Add a recipient',
      request: { body: body(wrapped('recipient', RecipientInput), example) },
      responses: answers(singleOf('recipient', Recipient), 400, 401, 409),
    }),
    async (c) => {
      const { recipient: input } = c.req.valid('json');
      const recipient = await insertRecipient(c.var.deps.db, {
        environment: c.var.environment,
        name: input.name,
        idInProviderSystem: input.id_in_provider_system,
        products: input.products ?? [],
        defaultFullRefreshMinStartTimeEpoch: input.default_full_refresh_min_start_time_epoch,
        audit: auditOf(c),
      });
      return c.json(success({ recipient: presentRecipient(recipient) }, 'Recipient created'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/recipients/{recipient_id}',
      tags: ['Recipients'],
      summary: 'Read a recipient',
      request: { params },
      responses: answers(singleOf('recipient', Recipient), 401, 404),
    }),
    async (c) => {
      const { recipient_id: id } = c.req.valid('param');
      const recipient = await getRecipient(c.var.deps.db, { environment: c.var.environment, id });
      return c.json(success({ recipient: presentRecipient(recipient) }, 'Recipient'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'patch',
      path: '/recipients/{recipient_id}',
      tags: ['Recipients'],
      summary: 'Change a recipient',
      request: {
        params,
        body: body(wrapped('recipient', RecipientPatch), { recipient: { name: 'Northwind Ltd' } }),
      },
      responses: answers(singleOf('recipient', Recipient), 400, 401, 404, 409),
    }),
    async (c) => {
      const { recipient_id: id } = c.req.valid('param');
      const { recipient: patch } = c.req.valid('json');
      const { environment, deps } = c.var;
      const changes = {
        name: patch.name,
        idInProviderSystem: patch.id_in_provider_system,
        products: patch.products === null ? [] : patch.products,
        defaultFullRefreshMinStartTimeEpoch: patch.default_full_refresh_min_start_time_epoch,
      };
      const isEmpty = Object.values(changes).every((value) => value === undefined);
      const recipient = isEmpty
        ? await getRecipient(deps.db, { environment, id })
        : await updateRecipient(deps.db, { environment, id, ...changes, audit: auditOf(c) });
      return c.json(success({ recipient: presentRecipient(recipient) }, 'Recipient updated'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'delete',
      path: '/recipients/{recipient_id}',
      tags: ['Recipients'],
      summary: 'Delete a recipient that has no destinations',
      request: { params },
      responses: answers(EmptyEnvelope, 401, 404, 409),
    }),
    async (c) => {
      const { recipient_id: id } = c.req.valid('param');
      await deleteRecipient(c.var.deps.db, {
        environment: c.var.environment,
        id,
        audit: auditOf(c),
      });
      return c.json(success({}, 'Recipient deleted'), 200);
    },
  );
