import { createHash } from 'node:crypto';
import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { getDestination } from '../db/destinations.ts';
import type { Page } from '../db/paging.ts';
import type { Submission } from '../db/submit-transfer.ts';
import { submitTransfer } from '../db/submit-transfer.ts';
import { readLogs } from '../db/transfer-log.ts';
import type { TransferRecord } from '../db/transfers.ts';
import { getTransfer, listTransfers } from '../db/transfers.ts';
import type { AppEnv } from './deps.ts';
import { envelopeOf, pageOf, singleOf, success } from './envelope.ts';
import { scopeOf } from './grants.ts';
import { Instant, Name, PathId } from './inputs.ts';
import { PageQuery, pageAnswer, pageRequestOf } from './paging.ts';
import { ring } from './ring.ts';
import { createRouter } from './router.ts';
import { answers, body, withKey, withKeyOrToken } from './routes.ts';
import { TransferFilters, filtersOf } from './transfer-filters.ts';
import { presentTransfer } from '../db/transfer-json.ts';
import { Transfer } from './transfer-object.ts';

const tagText = z.string().regex(/^[A-Za-z0-9_-]{1,255}$/, {
  error: 'must be made of letters, digits, _ and - (at most 255).',
});

const TransferInput = z
  .object({
    full_refresh: z.boolean().nullish(),
    is_debug_mode: z.boolean().nullish(),
    models: z
      .array(Name)
      .max(1000)
      .nullish()
      .openapi({ description: 'None: all of the destination.' }),
    start_transfer_window_at: Instant.nullish(),
    end_transfer_window_at: Instant.nullish(),
    tags: z.record(tagText, tagText).nullish(),
  })
  .openapi('TransferInput');

const Headers = z.object({
  'idempotency-key': z.string().min(1).max(255).optional().openapi({
    description: 'Kept 24 hours: the same body gives the same transfer, another one is 409.',
  }),
});

const ofDestination = z.object({ destination_id: PathId });
const ofTransfer = z.object({ transfer_id: PathId });

export const transfers = createRouter()
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/destinations/{destination_id}/transfer',
      tags: ['Transfers'],
      summary: 'Start a transfer',
      request: {
        params: ofDestination,
        headers: Headers,
        body: body(TransferInput, { full_refresh: false }),
      },
      responses: answers(envelopeOf(z.object({ transfer_id: z.uuid() })), 400, 401, 404, 409),
    }),
    async (c) => {
      const { destination_id: destinationId } = c.req.valid('param');
      const input = c.req.valid('json');
      const key = c.req.valid('header')['idempotency-key'];
      const { environment, actor, deps } = c.var;
      const submission = await submitTransfer(deps.db, {
        environment,
        destinationId,
        trigger: 'manual',
        isFullRefresh: input.full_refresh ?? undefined,
        isDebugMode: input.is_debug_mode ?? undefined,
        models: input.models ?? undefined,
        startWindowAt: input.start_transfer_window_at ?? undefined,
        endWindowAt: input.end_transfer_window_at ?? undefined,
        tags: input.tags ?? undefined,
        actor,
        requestId: c.var.requestId,
        idempotency:
          key === undefined ? undefined : { key, bodyHash: hashOf([destinationId, input]) },
      });
      const { outcome, transferId } = submission;
      if (outcome !== 'duplicate') await ring(c, { destinationId, transferId });
      return c.json(success({ transfer_id: submission.transferId }, messageOf(submission)), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/transfers',
      tags: ['Transfers'],
      summary: 'List transfers',
      request: {
        query: PageQuery.extend(TransferFilters.shape).extend({
          destination_id: z.string().optional(),
        }),
      },
      responses: answers(pageOf('transfers', Transfer), 400, 401),
    }),
    async (c) => {
      const query = c.req.valid('query');
      const page = await listTransfers(c.var.deps.db, {
        environment: c.var.environment,
        page: pageRequestOf(query),
        destinationId: query.destination_id === '' ? undefined : query.destination_id,
        ...filtersOf(query),
      });
      return c.json(await pageOfTransfers(c, page), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKeyOrToken,
      method: 'get',
      path: '/destinations/{destination_id}/transfers',
      tags: ['Transfers'],
      summary: 'List the transfers of a destination',
      request: {
        params: ofDestination,
        query: PageQuery.extend(TransferFilters.shape).extend({
          count: PageQuery.shape.page_size.optional(),
        }),
      },
      responses: answers(pageOf('transfers', Transfer), 400, 401, 404),
    }),
    async (c) => {
      const { destination_id: destinationId } = c.req.valid('param');
      const query = c.req.valid('query');
      const { deps } = c.var;
      await getDestination(deps.db, { ...scopeOf(c), id: destinationId });
      const asked = c.req.query('page_size') === undefined ? query.count : undefined;
      const page = await listTransfers(deps.db, {
        ...scopeOf(c),
        page: pageRequestOf({ ...query, page_size: asked ?? query.page_size }),
        destinationId,
        ...filtersOf(query),
      });
      return c.json(await pageOfTransfers(c, page), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKeyOrToken,
      method: 'get',
      path: '/transfers/{transfer_id}',
      tags: ['Transfers'],
      summary: 'Read a transfer: clients poll it',
      request: { params: ofTransfer },
      responses: answers(singleOf('transfer', Transfer), 401, 404),
    }),
    async (c) => {
      const { transfer_id: id } = c.req.valid('param');
      const transfer = await getTransfer(c.var.deps.db, { ...scopeOf(c), id });
      return c.json(success({ transfer: await transferOut(c, transfer) }, transfer.status), 200);
    },
  );

/** The object of one transfer, with its log. */
export async function transferOut(c: Context<AppEnv>, transfer: TransferRecord): Promise<Transfer> {
  const { db, publicUrl } = c.get('deps');
  const logs = await readLogs(db, { transferIds: [transfer.id] });
  return presentTransfer(transfer, { publicUrl, logs });
}

async function pageOfTransfers(c: Context<AppEnv>, page: Page<TransferRecord>) {
  const { db, publicUrl } = c.get('deps');
  const logs = await readLogs(db, { transferIds: page.items.map(({ id }) => id) });
  const present = (transfer: TransferRecord) => presentTransfer(transfer, { publicUrl, logs });
  return pageAnswer(c, { key: 'transfers', page, present });
}

/** The row is what counts: where the engine is away, `reconcile` rings later, so the answer is a success. */
function messageOf({ outcome }: Submission): string {
  switch (outcome) {
    case 'duplicate':
      return 'Transfer cancelled as a duplicate: another one that waits moves the same';
    case 'repeated':
      return 'This Idempotency-Key was used before: this is its transfer';
    default:
      return 'Transfer submitted';
  }
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
