import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ConnectorRegistry } from '../connectors/connector.ts';
import { findOwnKey, ownKeyPair } from '../db/key-pairs.ts';
import type { MagicLinkRecord } from '../db/magic-links.ts';
import {
  deleteMagicLink,
  getMagicLink,
  insertMagicLink,
  listMagicLinks,
} from '../db/magic-links.ts';
import { listRecipientModels } from '../db/recipient-models.ts';
import { toOpenSsh } from '../lib/key-pair.ts';
import type { AppEnv } from './deps.ts';
import { EmptyEnvelope, pageOf, singleOf, success } from './envelope.ts';
import { CommaList, PathId, wrapped } from './inputs.ts';
import {
  MagicLink,
  MagicLinkInput,
  magicLinkExample,
  presentMagicLink,
  presetsIn,
  weekSeconds,
} from './magic-link-object.ts';
import { PageQuery, pageAnswer, pageRequestOf } from './paging.ts';
import { createRouter } from './router.ts';
import { answers, body, withKey } from './routes.ts';

const params = z.object({ magic_link_id: PathId });

/** Links for customers who have no page of the vendor's to log in to. */
export const magicLinks = createRouter()
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/magic-links',
      tags: ['Magic links'],
      summary: 'List magic links',
      request: { query: PageQuery.extend({ recipient_id: CommaList }) },
      responses: answers(pageOf('magic_links', MagicLink), 400, 401),
    }),
    async (c) => {
      const query = c.req.valid('query');
      const page = await listMagicLinks(c.var.deps.db, {
        environment: c.var.environment,
        page: pageRequestOf(query),
        recipientIds: query.recipient_id,
      });
      const present = await linkPresenter(c, page.items);
      return c.json(pageAnswer(c, { key: 'magic_links', page, present }), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/magic-links',
      tags: ['Magic links'],
      summary: 'Make a link with which a customer adds one destination',
      description: 'Hand out `link`: it cannot be shown again.',
      request: { body: body(wrapped('magic_link', MagicLinkInput), magicLinkExample) },
      responses: answers(singleOf('magic_link', MagicLink), 400, 401),
    }),
    async (c) => {
      const { magic_link: input } = c.req.valid('json');
      const { environment, deps } = c.var;
      const { link, token } = await insertMagicLink(deps.db, {
        environment,
        recipientId: input.recipient_id,
        name: input.name,
        vendor: input.vendor,
        presets: presetsIn(input, deps.registry),
        setDestinationEnabled: input.set_destination_enabled ?? true,
        redirectUrl: input.redirect_url,
        lifeSeconds: input.expires_in_seconds ?? weekSeconds,
        audit: linkAudit(c),
      });
      await prepareKey(c, link);
      const present = await linkPresenter(c, [link]);
      const made = { ...present(link), link: `${deps.publicUrl}/connect/${token}` };
      return c.json(success({ magic_link: made }, 'Magic link created'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/magic-links/{magic_link_id}',
      tags: ['Magic links'],
      summary: 'Read a magic link',
      request: { params },
      responses: answers(singleOf('magic_link', MagicLink), 401, 404),
    }),
    async (c) => {
      const { magic_link_id: id } = c.req.valid('param');
      const { environment, deps } = c.var;
      const link = await getMagicLink(deps.db, { environment, id });
      const present = await linkPresenter(c, [link]);
      return c.json(success({ magic_link: present(link) }, 'Magic link'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'delete',
      path: '/magic-links/{magic_link_id}',
      tags: ['Magic links'],
      summary: 'Delete a magic link',
      description: 'It leads nowhere from now on; a destination that was made with it stays.',
      request: { params },
      responses: answers(EmptyEnvelope, 401, 404),
    }),
    async (c) => {
      const { magic_link_id: id } = c.req.valid('param');
      const { environment, deps } = c.var;
      await deleteMagicLink(deps.db, { environment, id, audit: linkAudit(c) });
      return c.json(success({}, 'Magic link deleted'), 200);
    },
  );

export function linkAudit(c: { readonly var: AppEnv['Variables'] }) {
  const { actor, deps } = c.var;
  return { actor, present: (link: MagicLinkRecord) => presentMagicLink(link, deps.publicUrl) };
}

/** The key that the customer's tunnel will have to know stands in the link from the beginning. */
async function prepareKey(c: Context<AppEnv>, { vendor, recipientId }: MagicLinkRecord) {
  const { environment, deps } = c.var;
  if (!mayTunnel(deps.registry, vendor)) return;
  await ownKeyPair(deps.db, {
    owner: { environment, recipientId },
    sealer: deps.sealer,
    // A link may be used up to a year later, and its key with it.
    isKept: true,
    make: () => deps.keyPairs.take(),
  });
}

/** Whether a destination of that vendor, or of any that the customer may choose, can be behind a tunnel. */
function mayTunnel(registry: ConnectorRegistry, vendor: string | null): boolean {
  const schema = vendor === null ? undefined : registry.get(vendor)?.destination;
  return vendor === null || (schema !== undefined && 'use_ssh_tunnel' in schema.shape);
}

/** Shows links with the models that their recipients get, and the key that is theirs. */
async function linkPresenter(c: Context<AppEnv>, shown: readonly MagicLinkRecord[]) {
  const { environment, deps } = c.var;
  const known = new Map<string, { models: string[]; key: string }>();
  for (const { recipientId } of shown) {
    if (known.has(recipientId)) continue;
    const models = await listRecipientModels(deps.db, { environment, recipientId });
    const pem = await findOwnKey(deps.db, { environment, recipientId });
    const key = pem === undefined ? '' : toOpenSsh(pem);
    known.set(recipientId, { models: models.map(({ name }) => name), key });
  }
  return (link: MagicLinkRecord): z.infer<typeof MagicLink> => ({
    ...presentMagicLink(link, deps.publicUrl),
    available_models: known.get(link.recipientId)?.models ?? [],
    ssh_public_key: mayTunnel(deps.registry, link.vendor)
      ? (known.get(link.recipientId)?.key ?? '')
      : '',
  });
}
