import { createRoute, z } from '@hono/zod-openapi';
import type { SourceCredentialRecord } from '../db/source-credentials.ts';
import {
  deleteSourceCredential,
  getSourceCredential,
  insertSourceCredential,
  listSourceCredentials,
  updateSourceCredential,
} from '../db/source-credentials.ts';
import { instantOut } from '../domain/outputs.ts';
import type { AppEnv } from './deps.ts';
import { EmptyEnvelope, pageOf, singleOf, success } from './envelope.ts';
import { CommaList, PathId, wrapped } from './inputs.ts';
import { PageQuery, pageAnswer, pageRequestOf } from './paging.ts';
import { createRouter } from './router.ts';
import { answers, body, withKey } from './routes.ts';

const Credential = z
  .object({
    id: z.uuid(),
    recipient_id: z.uuid(),
    source_id: z.uuid(),
    username: z.string(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi('RecipientSourceCredential');

const Login = z.string().min(1).max(1024);

const CredentialInput = z
  .object({ recipient_id: z.uuid(), source_id: z.uuid(), username: Login, password: Login })
  .openapi('RecipientSourceCredentialInput');

const CredentialPatch = z
  .object({ username: Login.optional(), password: z.string().max(1024).nullish() })
  .openapi('RecipientSourceCredentialPatch', { description: 'An empty password stays.' });

const example = {
  recipient_source_credential: {
    recipient_id: '0199aa00-0000-7000-8000-000000000001',
    source_id: '0199aa00-0000-7000-8000-000000000002',
    username: 'tenant_17',
    password: 'secret',
  },
};

function presentCredential(credential: SourceCredentialRecord) {
  return {
    id: credential.id,
    recipient_id: credential.recipientId,
    source_id: credential.sourceId,
    username: credential.username,
    created_at: instantOut(credential.createdAt),
    updated_at: instantOut(credential.updatedAt),
  };
}

function auditOf(c: { var: AppEnv['Variables'] }) {
  return { actor: c.var.actor, present: presentCredential };
}

const key = 'recipient_source_credential';
const path = '/recipient-source-credentials';
const one = { path: `${path}/{id}` as const, tags: ['Recipients'] };
const params = z.object({ id: PathId });

/** Logins of single recipients at the vendor's sources: the row-level-security way. */
export const sourceCredentials = createRouter()
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path,
      tags: ['Recipients'],
      summary: 'List the logins of recipients at sources',
      request: { query: PageQuery.extend({ recipient_id: CommaList, source_id: CommaList }) },
      responses: answers(pageOf('recipient_source_credentials', Credential), 400, 401),
    }),
    async (c) => {
      const query = c.req.valid('query');
      const page = await listSourceCredentials(c.var.deps.db, {
        environment: c.var.environment,
        page: pageRequestOf(query),
        recipientIds: query.recipient_id,
        sourceIds: query.source_id,
      });
      const list = {
        key: 'recipient_source_credentials' as const,
        page,
        present: presentCredential,
      };
      return c.json(pageAnswer(c, list), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path,
      tags: ['Recipients'],
      summary: "Read a recipient's rows from a source with a login of its own",
      request: { body: body(wrapped(key, CredentialInput), example) },
      responses: answers(singleOf(key, Credential), 400, 401, 409),
    }),
    async (c) => {
      const { recipient_source_credential: input } = c.req.valid('json');
      const { environment, deps } = c.var;
      const credential = await insertSourceCredential(deps.db, {
        environment,
        recipientId: input.recipient_id,
        sourceId: input.source_id,
        username: input.username,
        password: input.password,
        sealer: deps.sealer,
        audit: auditOf(c),
      });
      return c.json(success({ [key]: presentCredential(credential) }, 'Credential created'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      ...one,
      method: 'get',
      summary: 'Read the login of a recipient, without its password',
      request: { params },
      responses: answers(singleOf(key, Credential), 401, 404),
    }),
    async (c) => {
      const { environment, deps } = c.var;
      const { id } = c.req.valid('param');
      const credential = await getSourceCredential(deps.db, { environment, id });
      return c.json(success({ [key]: presentCredential(credential) }, 'Credential'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      ...one,
      method: 'patch',
      summary: 'Change the login of a recipient: the next attempt of a step uses it',
      request: {
        params,
        body: body(wrapped(key, CredentialPatch), { [key]: { password: 'new' } }),
      },
      responses: answers(singleOf(key, Credential), 400, 401, 404),
    }),
    async (c) => {
      const { id } = c.req.valid('param');
      const { recipient_source_credential: patch } = c.req.valid('json');
      const { environment, deps } = c.var;
      const credential = await updateSourceCredential(deps.db, {
        environment,
        id,
        username: patch.username,
        password: patch.password || undefined,
        sealer: deps.sealer,
        audit: auditOf(c),
      });
      return c.json(success({ [key]: presentCredential(credential) }, 'Credential updated'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      ...one,
      method: 'delete',
      summary: "Go back to the source's own login",
      request: { params },
      responses: answers(EmptyEnvelope, 401, 404),
    }),
    async (c) => {
      const { id } = c.req.valid('param');
      const { environment, deps } = c.var;
      await deleteSourceCredential(deps.db, { environment, id, audit: auditOf(c) });
      return c.json(success({}, 'Credential deleted'), 200);
    },
  );
