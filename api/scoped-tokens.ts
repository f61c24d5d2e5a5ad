import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { getDestination } from '../db/destinations.ts';
import { findRecipientByProviderId, getRecipient } from '../db/recipients.ts';
import { insertScopedToken } from '../db/scoped-tokens.ts';
import { leavesOf, originOf } from '../domain/token-grant.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import type { AppEnv } from './deps.ts';
import { envelopeOf, success } from './envelope.ts';
import { invalid } from './errors.ts';
import { emptyAsAbsent } from './inputs.ts';
import { createRouter } from './router.ts';
import { answers, body, withKey } from './routes.ts';

const TokenInput = z
  .object({
    application_origin: z.string().max(2048).openapi({
      description: 'Origin of the page, with or without its scheme.',
    }),
    recipient_id: emptyAsAbsent(z.uuid()).openapi({ type: 'string', format: 'uuid' }),
    destination: z
      .looseObject({
        id: emptyAsAbsent(z.uuid()).openapi({ type: 'string', format: 'uuid' }),
        recipient_id: emptyAsAbsent(z.uuid()).openapi({ type: 'string', format: 'uuid' }),
        id_in_provider_system: emptyAsAbsent(z.string().max(255)).openapi({ type: 'string' }),
      })
      .nullish()
      .openapi({ description: 'What the token may write: exactly this, and nothing without it.' }),
  })
  .openapi('ScopedTokenInput');
type TokenInput = z.infer<typeof TokenInput>;

const leavesMax = 1000;

/** Tokens for the pages of a customer: one recipient, one page, one hour. */
export const scopedTokens = createRouter().openapi(
  createRoute({
    ...withKey,
    method: 'post',
    path: '/actions/generate-scoped-auth-token',
    tags: ['Scoped tokens'],
    summary: 'Make a token for the page of one recipient',
    description:
      'It reads the objects of that recipient, and writes exactly the destination given here. ' +
      'Send it as `Authorization: Bearer …` together with `X-APP-ID`.',
    request: {
      body: body(TokenInput, {
        application_origin: 'https://app.example.com',
        recipient_id: '0199aa00-0000-7000-8000-000000000001',
        destination: {},
      }),
    },
    responses: answers(envelopeOf(z.object({ scoped_token: z.string() })), 400, 401, 404),
  }),
  async (c) => {
    const input = c.req.valid('json');
    const { deps, environment, actor } = c.var;
    const origin = originOf(input.application_origin);
    if (origin === undefined) {
      const message = 'application_origin must be an origin like https://app.example.com.';
      throw invalid([{ path: 'application_origin', code: 'invalid', message }]);
    }
    const {
      id,
      recipient_id: _id,
      id_in_provider_system: _tenant,
      ...destination
    } = input.destination ?? {};
    const wanted = JSON.parse(JSON.stringify(destination)) as JsonObject;
    if (leavesOf(wanted).length > leavesMax) {
      const message = `destination has more than ${leavesMax} fields. Send only what shall be written.`;
      throw invalid([{ path: 'destination', code: 'too_many', message }]);
    }
    const token = await insertScopedToken(deps.db, {
      environment,
      origin,
      recipientId: await recipientOf(c, input),
      destination: wanted,
      destinationId: id,
      createdBy: actor.id,
    });
    return c.json(success({ scoped_token: token }, 'Scoped token made'), 200);
  },
);

/** The recipient named by itself or by the destination. @throws Failure `invalid`, `not_found` */
async function recipientOf(c: Context<AppEnv>, input: TokenInput): Promise<string> {
  const { db } = c.get('deps');
  const environment = c.get('environment');
  const { destination } = input;
  const id = input.recipient_id ?? destination?.recipient_id;
  if (id !== undefined) return (await getRecipient(db, { environment, id })).id;
  if (destination?.id !== undefined) {
    return (await getDestination(db, { environment, id: destination.id })).recipientId;
  }
  const idInProviderSystem = destination?.id_in_provider_system;
  const found =
    idInProviderSystem === undefined
      ? undefined
      : await findRecipientByProviderId(db, { environment, idInProviderSystem });
  if (found !== undefined) return found.id;
  const message =
    'recipient_id is missing, and no recipient is named by the destination either: say whose page it is.';
  throw invalid([{ path: 'recipient_id', code: 'required', message }]);
}
