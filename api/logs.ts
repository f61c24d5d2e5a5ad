import { createRoute, z } from '@hono/zod-openapi';
import type { AuditRecord } from '../db/audit-log.ts';
import { getAuditEntry, listAuditLog } from '../db/audit-log.ts';
import { actorTypes } from '../domain/statuses.ts';
import { pageOf, singleOf, success } from './envelope.ts';
import { CommaList, PathId } from './inputs.ts';
import { instantOut } from '../domain/outputs.ts';
import { PageQuery, pageAnswer, pageRequestOf } from './paging.ts';
import { createRouter } from './router.ts';
import { answers, withKey } from './routes.ts';

const AnyObject = z.record(z.string(), z.unknown()).nullable();

const EventLog = z
  .object({
    id: z.uuid(),
    created_at: z.iso.datetime(),
    event_type: z.string(),
    resource_id: z.string(),
    actor: z.object({ actor_id: z.string(), type: z.enum(actorTypes) }),
    object: AnyObject.openapi({ description: 'After the write; null where it was a deletion.' }),
    previous_object: AnyObject.openapi({ description: 'Before it; null where it was a creation.' }),
  })
  .openapi('EventLog');

const wholeNumber = (max: number) =>
  z
    .string()
    .regex(/^\d{1,12}$/, { error: 'must be a whole number of at least 0.' })
    .transform(Number)
    .refine((number) => number <= max, { error: `must be at most ${max}.` })
    .openapi({ type: 'integer', minimum: 0, maximum: max });

const ListQuery = PageQuery.extend({
  event_type: CommaList,
  min_time: wholeNumber(253_402_300_799)
    .optional()
    .openapi({ description: 'Unix seconds, inclusive.' }),
  count: PageQuery.shape.page_size
    .optional()
    .openapi({ description: 'The older name of page_size.' }),
  offset: wholeNumber(1_000_000)
    .optional()
    .openapi({ description: 'Older clients skip so many entries; a cursor is cheaper.' }),
});

function presentEntry(entry: AuditRecord): z.infer<typeof EventLog> {
  return {
    id: entry.id,
    created_at: instantOut(entry.at),
    event_type: entry.eventType,
    resource_id: entry.resourceId,
    actor: { actor_id: entry.actorId, type: entry.actorType },
    object: entry.object,
    previous_object: entry.previousObject,
  };
}

/** Who wrote what and when. Entries are only ever added; retention removes them. */
export const logs = createRouter()
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/logs',
      tags: ['Logs'],
      summary: 'List the audit log, newest first',
      description: 'Every write with its actor and its object before and after, secrets left out.',
      request: { query: ListQuery },
      responses: answers(pageOf('event_logs', EventLog), 400, 401),
    }),
    async (c) => {
      const query = c.req.valid('query');
      const asked = c.req.query('page_size') === undefined ? query.count : undefined;
      const page = await listAuditLog(c.var.deps.db, {
        environment: c.var.environment,
        page: pageRequestOf({ ...query, page_size: asked ?? query.page_size }),
        eventTypes: query.event_type?.map((type) => type.toUpperCase()),
        since: query.min_time === undefined ? undefined : new Date(query.min_time * 1000),
        // A cursor says already what has been seen.
        skip: query.cursor ? 0 : query.offset,
      });
      return c.json(pageAnswer(c, { key: 'event_logs', page, present: presentEntry }), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/logs/{log_id}',
      tags: ['Logs'],
      summary: 'Read one entry of the audit log',
      request: { params: z.object({ log_id: PathId }) },
      responses: answers(singleOf('event_log', EventLog), 401, 404),
    }),
    async (c) => {
      const { log_id: id } = c.req.valid('param');
      const entry = await getAuditEntry(c.var.deps.db, { environment: c.var.environment, id });
      return c.json(success({ event_log: presentEntry(entry) }, entry.eventType), 200);
    },
  );
