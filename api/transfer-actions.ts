import { createRoute, z } from '@hono/zod-openapi';
import { cancelTransfer } from '../db/cancel-transfer.ts';
import { setPaused } from '../db/transfers.ts';
import { singleOf, success } from './envelope.ts';
import { PathId } from './inputs.ts';
import { ring } from './ring.ts';
import { createRouter } from './router.ts';
import { answers, withKey } from './routes.ts';
import { Transfer } from './transfer-object.ts';
import { transferOut } from './transfers.ts';

const request = { params: z.object({ transfer_id: PathId }) };
const responses = answers(singleOf('transfer', Transfer), 401, 404, 409, 503);

export const transferActions = createRouter()
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/transfers/{transfer_id}/cancel',
      tags: ['Transfers'],
      summary: 'Cancel a transfer that waits or runs',
      request,
      responses,
    }),
    async (c) => {
      const { transfer_id: id } = c.req.valid('param');
      const { environment, actor, deps } = c.var;
      const transfer = await cancelTransfer(deps.db, { environment, id, actor });
      // The mark is in the row first: asked again after a failure here, the workflow is told again.
      if (transfer.status === 'RUNNING') await deps.workflows.cancelTransfer(id);
      // One that waited behind it may start now.
      else await ring(c, { destinationId: transfer.destinationId, transferId: id });
      const message =
        transfer.status === 'RUNNING' ? 'Transfer asked to stop' : 'Transfer cancelled';
      return c.json(success({ transfer: await transferOut(c, transfer) }, message), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/transfers/{transfer_id}/pause',
      tags: ['Transfers'],
      summary: 'Pause a running transfer after its present batch',
      request,
      responses,
    }),
    async (c) => {
      const { transfer_id: id } = c.req.valid('param');
      const { environment, deps } = c.var;
      const transfer = await setPaused(deps.db, { environment, id, isPaused: true });
      await deps.workflows.pauseTransfer(id);
      return c.json(success({ transfer: await transferOut(c, transfer) }, 'Transfer paused'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/transfers/{transfer_id}/resume',
      tags: ['Transfers'],
      summary: 'Let a paused transfer go on',
      request,
      responses,
    }),
    async (c) => {
      const { transfer_id: id } = c.req.valid('param');
      const { environment, deps } = c.var;
      const transfer = await setPaused(deps.db, { environment, id, isPaused: false });
      await deps.workflows.resumeTransfer(id);
      return c.json(success({ transfer: await transferOut(c, transfer) }, 'Transfer resumed'), 200);
    },
  );
