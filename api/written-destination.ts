import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { DestinationRecord } from '../db/destinations.ts';
import { allModels, listRecipientModels } from '../db/recipient-models.ts';
import type { AppEnv } from './deps.ts';
import { Destination } from './destination-object.ts';
import { ErrorDetail, envelopeOf } from './envelope.ts';

/** The answer to a write: names of models that the recipient does not have are told, not refused. */
export const WrittenDestination = envelopeOf(
  z.object({ destination: Destination, warnings: z.array(ErrorDetail) }),
);

/** What was written, with the names in `enabled_models` that wait for a model of the recipient. */
export async function written(
  c: Context<AppEnv>,
  { destination, shown }: { destination: DestinationRecord; shown: Destination },
) {
  const { recipientId, enabledModels } = destination;
  const { environment, deps } = c.var;
  const own = await listRecipientModels(deps.db, { environment, recipientId });
  const known = new Set([allModels, ...own.map(({ name }) => name)]);
  const warnings = enabledModels.flatMap((name, index) => {
    if (known.has(name)) return [];
    const path = `destination.enabled_models[${index}]`;
    const message = `The recipient has no model ${name}. The name is kept, and counts once there is one.`;
    return [{ path, code: 'inactive_model', message }];
  });
  return { destination: shown, warnings };
}
