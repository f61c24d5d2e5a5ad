import { createRoute, z } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import { insertDestination } from '../db/destinations.ts';
import type { MagicLinkRecord } from '../db/magic-links.ts';
import { findMagicLink, useMagicLink } from '../db/magic-links.ts';
import { listRecipientModels } from '../db/recipient-models.ts';
import { anyone } from './auth.ts';
import { readBody } from './body.ts';
import { formOf } from './catalogue.ts';
import { testNewDestination } from './connection-tests.ts';
import { settleKeys } from './connection-keys.ts';
import { newConnection } from './connections.ts';
import type { AppEnv } from './deps.ts';
import {
  Destination,
  DestinationPatch,
  destinationAudit,
  optionsOf,
  presentDestination,
} from './destination-object.ts';
import { envelopeOf, singleOf, success } from './envelope.ts';
import { formSections } from './form-tree.ts';
import { wrapped } from './inputs.ts';
import { cutForm, destinationBehind, offeredFrequencies } from './magic-link-destination.ts';
import { linkAudit } from './magic-links.ts';
import { instantOut } from '../domain/outputs.ts';
import { createRouter } from './router.ts';
import { answers, body } from './routes.ts';
import { tellSchedules } from './schedules.ts';
import { DestinationTest } from './test-result.ts';

/** The token in the path is the credential: what is read and written is of its recipient. */
const followLink: MiddlewareHandler<AppEnv> = async (c, next) => {
  const link = await findMagicLink(c.var.deps.db, c.req.param('token') ?? '');
  c.set('environment', link.environment);
  c.set('actor', { id: link.recipientId, type: 'recipient' });
  c.set('recipientId', link.recipientId);
  c.set('magicLink', link);
  c.header('Cache-Control', 'no-store');
  await next();
};

const behindLink = {
  middleware: [anyone, followLink, readBody],
  security: [],
  tags: ['Public'],
};

const params = z.object({
  token: z.string().openapi({ description: 'The last part of the link.' }),
});

const Behind = z
  .object({
    name: z.string(),
    recipient_name: z.string(),
    vendor: z.string().openapi({ description: 'Empty: the customer chooses.' }),
    presets: z.record(z.string(), z.string()),
    available_models: z.array(z.string()),
    frequencies: z.array(z.int()).openapi({ description: 'In minutes; 0 is the usual one.' }),
    set_destination_enabled: z.boolean(),
    redirect_url: z.string(),
    expires_at: z.iso.datetime(),
    sections: z.array(
      z.object({ id: z.string(), title: z.string(), subtitle: z.string().nullable() }),
    ),
    form: z.unknown().openapi({ type: 'object', description: 'What is to be asked, as a tree.' }),
  })
  .openapi('PublicMagicLink');

const example = {
  destination: {
    vendor: 'postgres',
    postgres: {
      host: 'warehouse.northwind.example',
      database: 'analytics',
      schema: 'vendor_data',
      auth_method: 'password_auth',
      password_auth: { username: 'loader', password: 'secret' },
    },
  },
};

/** What the holder of a magic link may do: look, try, and add one destination. */
export const publicMagicLinks = createRouter()
  .openapi(
    createRoute({
      ...behindLink,
      method: 'get',
      path: '/public/magic-links/{token}',
      summary: 'What a magic link asks for',
      request: { params },
      responses: answers(singleOf('magic_link', Behind), 404, 409),
    }),
    async (c) => {
      const behind = await presentBehind(c, c.var.magicLink);
      return c.json(success({ magic_link: behind }, 'Magic link'), 200);
    },
  )
  .openapi(
    createRoute({
      ...behindLink,
      method: 'post',
      path: '/public/magic-links/{token}/test',
      summary: 'Test the destination that shall be added',
      request: { params, body: body(wrapped('destination', DestinationPatch), example) },
      responses: answers(DestinationTest, 400, 403, 404, 409, 503),
    }),
    async (c) => {
      const { destination } = c.req.valid('json');
      const wanted = destinationBehind(c.var.magicLink, destination, c.var.deps.registry);
      return c.json(await testNewDestination(c, wanted), 200);
    },
  )
  .openapi(
    createRoute({
      ...behindLink,
      method: 'post',
      path: '/public/magic-links/{token}/destination',
      summary: 'Add the destination: a link does this once',
      request: { params, body: body(wrapped('destination', DestinationPatch), example) },
      responses: answers(envelopeOf(z.object({ destination: Destination })), 400, 403, 404, 409),
    }),
    async (c) => {
      const { magicLink: link, environment, deps } = c.var;
      const wanted = destinationBehind(link, c.req.valid('json').destination, deps.registry);
      const { recipientId } = link;
      const { connection, place } = newConnection(deps, 'destination', wanted);
      const keyed = { role: 'destination' as const, vendor: wanted.vendor, recipientId };
      // A refused destination leaves the link as it was.
      const destination = await deps.db.transaction(async (tx) => {
        await useMagicLink(tx, { link, audit: linkAudit(c) });
        return await insertDestination(tx, {
          ...optionsOf(wanted),
          environment,
          name: wanted.name,
          recipientId,
          place,
          connection: await settleKeys(c, tx, { ...keyed, isSaved: true, connection }),
          audit: destinationAudit(c),
        });
      });
      await tellSchedules(c, [destination.id]);
      const message = destination.isEnabled
        ? 'Destination created'
        : 'Destination created; it starts once it has been looked at and enabled';
      const answer = { destination: presentDestination(destination, deps.registry) };
      return c.json(success(answer, message), 200);
    },
  );

async function presentBehind(
  c: Context<AppEnv>,
  link: MagicLinkRecord,
): Promise<z.infer<typeof Behind>> {
  const { deps } = c.var;
  const models = await listRecipientModels(deps.db, link);
  const kinds = [...deps.registry.values()]
    .filter((one) => one.destination !== undefined && one.isPlanned !== true)
    .map(({ kind }) => kind);
  const form = formOf(deps, link.vendor === null ? kinds : [link.vendor]);
  return {
    name: link.name,
    recipient_name: link.recipientName,
    vendor: link.vendor ?? '',
    presets: link.presets,
    available_models: models.map(({ name }) => name),
    frequencies: offeredFrequencies,
    set_destination_enabled: link.setDestinationEnabled,
    redirect_url: link.redirectUrl ?? '',
    expires_at: instantOut(link.expiresAt),
    sections: [...formSections],
    form: cutForm(form, link),
  };
}
