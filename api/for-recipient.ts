import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { listDestinations } from '../db/destinations.ts';
import { listModels } from '../db/models.ts';
import { getRecipient } from '../db/recipients.ts';
import type { AppEnv } from './deps.ts';
import { Destination } from './destination-object.ts';
import { destinationPresenter } from './destination-presenter.ts';
import { pageOf } from './envelope.ts';
import { invalid, refuse } from './errors.ts';
import { PathId } from './inputs.ts';
import { Model, modelPresenter } from './model-object.ts';
import { pageAnswer, readAll } from './paging.ts';
import { createRouter } from './router.ts';
import { answers, withKeyOrToken } from './routes.ts';

const query = z.object({
  recipient_id: PathId.optional().openapi({ description: 'With an API key; a token has its own.' }),
});

/** Lists that clients read at once: everything comes on one page. */
export const forRecipient = createRouter()
  .openapi(
    createRoute({
      ...withKeyOrToken,
      method: 'get',
      path: '/destinations-for-recipient',
      tags: ['Destinations'],
      summary: 'All destinations of one recipient',
      request: { query },
      responses: answers(pageOf('destinations', Destination), 400, 401, 404),
    }),
    async (c) => {
      const id = recipientOf(c, c.req.valid('query').recipient_id);
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
      ...withKeyOrToken,
      method: 'get',
      path: '/models-for-recipient',
      tags: ['Models'],
      summary: 'All models that one recipient gets',
      request: { query },
      responses: answers(pageOf('models', Model), 400, 401, 404),
    }),
    async (c) => {
      const recipientId = recipientOf(c, c.req.valid('query').recipient_id);
      const { environment, deps } = c.var;
      await getRecipient(deps.db, { environment, id: recipientId });
      const page = await readAll((one) =>
        listModels(deps.db, { environment, page: one, recipientId }),
      );
      return c.json(pageAnswer(c, { key: 'models', page, present: modelPresenter(c) }), 200);
    },
  );

/** @throws 403 for another recipient than the token's; Failure `invalid` where a key names none */
function recipientOf(c: Context<AppEnv>, asked: string | undefined): string {
  const { recipientId } = c.var;
  if (recipientId === undefined) {
    if (asked) return asked;
    const message = 'recipient_id is missing: with an API key it says whose objects are meant.';
    throw invalid([{ path: 'recipient_id', code: 'required', message }]);
  }
  if (!asked || asked === recipientId) return recipientId;
  throw refuse(403, 'recipient_id is not the recipient that the scoped token is for.');
}
