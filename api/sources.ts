import { createRoute, z } from '@hono/zod-openapi';
import type { SourceRecord } from '../db/sources.ts';
import { deleteSource, getSource, insertSource, listSources, updateSource } from '../db/sources.ts';
import { settleKeys } from './connection-keys.ts';
import { changedConnection, newConnection } from './connections.ts';
import type { AppEnv } from './deps.ts';
import { EmptyEnvelope, pageOf, singleOf, success } from './envelope.ts';
import { CommaList, PathId, wrapped } from './inputs.ts';
import { PageQuery, pageAnswer, pageRequestOf } from './paging.ts';
import { createRouter } from './router.ts';
import { answers, body, withKey } from './routes.ts';
import { Source, SourceInput, SourcePatch, presentSource, sourceExample } from './source-object.ts';

const params = z.object({ source_id: PathId });

const ListQuery = PageQuery.extend({ name: CommaList, vendor: CommaList });

export const sources = createRouter()
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/sources',
      tags: ['Sources'],
      summary: 'List sources',
      request: { query: ListQuery },
      responses: answers(pageOf('sources', Source), 400, 401),
    }),
    async (c) => {
      const query = c.req.valid('query');
      const page = await listSources(c.var.deps.db, {
        environment: c.var.environment,
        page: pageRequestOf(query),
        names: query.name,
        vendors: query.vendor,
      });
      return c.json(pageAnswer(c, { key: 'sources', page, present: presenter(c.var) }), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/sources',
      tags: ['Sources'],
      summary: 'Add a source',
      request: { body: body(wrapped('source', SourceInput), sourceExample) },
      responses: answers(singleOf('source', Source), 400, 401, 409),
    }),
    async (c) => {
      const { source: input } = c.req.valid('json');
      const { db } = c.var.deps;
      const { connection } = newConnection(c.var.deps, 'source', input);
      const source = await insertSource(db, {
        environment: c.var.environment,
        name: input.name,
        maxConcurrentTransfers: input.max_concurrent_transfers,
        connection: await settleKeys(c, db, { ...asSaved(input.vendor), connection }),
        audit: auditOf(c),
      });
      return c.json(success({ source: presenter(c.var)(source) }, 'Source created'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/sources/{source_id}',
      tags: ['Sources'],
      summary: 'Read a source',
      request: { params },
      responses: answers(singleOf('source', Source), 401, 404),
    }),
    async (c) => {
      const { source_id: id } = c.req.valid('param');
      const source = await getSource(c.var.deps.db, { environment: c.var.environment, id });
      return c.json(success({ source: presenter(c.var)(source) }, 'Source'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'patch',
      path: '/sources/{source_id}',
      tags: ['Sources'],
      summary: 'Change a source',
      request: {
        params,
        body: body(wrapped('source', SourcePatch), { source: { postgres: { schema: 'app' } } }),
      },
      responses: answers(singleOf('source', Source), 400, 401, 404, 409),
    }),
    async (c) => {
      const { source_id: id } = c.req.valid('param');
      const { source: patch } = c.req.valid('json');
      const { environment, deps } = c.var;
      const stored = await getSource(deps.db, { environment, id });
      const changed = changedConnection(deps, 'source', { stored, patch })?.connection;
      const connection =
        changed &&
        (await settleKeys(c, deps.db, { ...asSaved(stored.vendor), connection: changed }));
      const { name, max_concurrent_transfers: maxConcurrentTransfers } = patch;
      const isEmpty = [connection, name, maxConcurrentTransfers].every((one) => one === undefined);
      const source = isEmpty
        ? stored
        : await updateSource(deps.db, {
            environment,
            id,
            name,
            maxConcurrentTransfers,
            connection,
            audit: auditOf(c),
          });
      return c.json(success({ source: presenter(c.var)(source) }, 'Source updated'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'delete',
      path: '/sources/{source_id}',
      tags: ['Sources'],
      summary: 'Delete a source that no model reads',
      request: { params },
      responses: answers(EmptyEnvelope, 401, 404, 409),
    }),
    async (c) => {
      const { source_id: id } = c.req.valid('param');
      await deleteSource(c.var.deps.db, { environment: c.var.environment, id, audit: auditOf(c) });
      return c.json(success({}, 'Source deleted'), 200);
    },
  );

/** The vendor's own key pairs. */
const asSaved = (vendor: string) =>
  ({ role: 'source', vendor, recipientId: null, isSaved: true }) as const;

function presenter({ deps }: AppEnv['Variables']) {
  return (source: SourceRecord) => presentSource(source, deps.registry);
}

function auditOf(c: { var: AppEnv['Variables'] }) {
  return { actor: c.var.actor, present: presenter(c.var) };
}
