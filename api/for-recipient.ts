import { createRoute, z } from '@hono/zod-openapi';
import { listDestinations } from '../db/destinations.ts';
import { listModels } from '../db/models.ts';
import { getRecipient } from '../db/recipients.ts';
import { Destination } from './destination-object.ts';
import { destinationPresenter } from './destinations.ts';
import { pageOf } from './envelope.ts';
import { PathId } from './inputs.ts';
import { Model, presentModel } from './model-object.ts';
import { pageAnswer, readAll } from './paging.ts';
import { createRouter } from './router.ts';
import { answers, withKey } from './routes.ts';

const query = z.object({ recipient_id: PathId });

/** Lists that clients read at once: everything comes on one page. */
export const forRecipient = createRouter()
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/destinations-for-recipient',
      tags: ['Destinations'],
      summary: 'All destinations of one recipient',
      request: { query },
      responses: answers(pageOf('destinations', Destination), 400, 401, 404),
    }),
    async (c) => {
      const { recipient_id: id } = c.req.valid('query');
      const { environment, deps } = c.var;
      await getRecipient(deps.db, { environment, id });
      const page = await readAll((one) =>
        listDestinations(deps.db, { environment, page: one, recipientIds: [id] }),
      );
      const present = await destinationPresenter(c, page.items);
      return c.json(pageAnswer(c, { key: 'destinations', page, present }), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/models-for-recipient',
      tags: ['Models'],
      summary: 'All models that one recipient gets',
      request: { query },
      responses: answers(pageOf('models', Model), 400, 401, 404),
    }),
    async (c) => {
      const { recipient_id: recipientId } = c.req.valid('query');
      const { environment, deps } = c.var;
      await getRecipient(deps.db, { environment, id: recipientId });
      const page = await readAll((one) =>
        listModels(deps.db, { environment, page: one, recipientId }),
      );
      return c.json(pageAnswer(c, { key: 'models', page, present: presentModel }), 200);
    },
  );
