import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Db } from '../db/database.ts';
import type { DestinationRecord } from '../db/destinations.ts';
import {
  deleteDestination,
  getDestination,
  insertDestination,
  listDestinations,
  updateDestination,
} from '../db/destinations.ts';
import { ensureRecipient } from '../db/recipients.ts';
import { settleKeys } from './connection-keys.ts';
import { changedConnection, newConnection } from './connections.ts';
import type { AppEnv } from './deps.ts';
import { destinationPresenter } from './destination-presenter.ts';
import type { DestinationInput as Input, DestinationPatch as Patch } from './destination-object.ts';
import {
  Destination,
  DestinationInput,
  DestinationPatch,
  destinationAudit,
  destinationExample,
  optionsOf,
  presentDestination,
} from './destination-object.ts';
import { EmptyEnvelope, pageOf, singleOf, success } from './envelope.ts';
import { describeError, invalid } from './errors.ts';
import { checkGranted, checkGrantedChange, checkGrantedDelete, scopeOf } from './grants.ts';
import { CommaList, FlagFilter, PathId, wrapped } from './inputs.ts';
import { checkMachineType } from './machine-types.ts';
import { PageQuery, pageAnswer, pageRequestOf } from './paging.ts';
import { presentRecipient } from './recipients.ts';
import { createRouter } from './router.ts';
import { answers, body, withKey, withKeyOrToken } from './routes.ts';
import { tellSchedules } from './schedules.ts';
import { WrittenDestination, written } from './written-destination.ts';

const params = z.object({ destination_id: PathId });

const ListQuery = PageQuery.extend({
  recipient_id: CommaList,
  id_in_provider_system: CommaList,
  vendor: CommaList,
  is_enabled: FlagFilter,
});

export const destinations = createRouter()
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/destinations',
      tags: ['Destinations'],
      summary: 'List destinations',
      request: { query: ListQuery },
      responses: answers(pageOf('destinations', Destination), 400, 401),
    }),
    async (c) => {
      const query = c.req.valid('query');
      const page = await listDestinations(c.var.deps.db, {
        environment: c.var.environment,
        page: pageRequestOf(query),
        recipientIds: query.recipient_id,
        idsInProviderSystem: query.id_in_provider_system,
        vendors: query.vendor,
        isEnabled: query.is_enabled,
      });
      const present = await destinationPresenter(c, page.items);
      return c.json(pageAnswer(c, { key: 'destinations', page, present }), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKeyOrToken,
      method: 'post',
      path: '/destinations',
      tags: ['Destinations'],
      summary: 'Add a destination',
      description: 'The connection is not tried: test it first.',
      request: { body: body(wrapped('destination', DestinationInput), destinationExample) },
      responses: answers(WrittenDestination, 400, 401, 409),
    }),
    async (c) => {
      const { destination: input } = c.req.valid('json');
      const { environment, deps } = c.var;
      checkGranted(c, input);
      checkMachineType(c, { wanted: input.machine_type_id, stored: null });
      const { connection, place } = newConnection(deps, 'destination', input);
      // In one transaction, so that a refused destination leaves no new recipient behind.
      const destination = await deps.db.transaction(async (tx) => {
        const recipientId = await recipientOf(c, tx, input);
        return insertDestination(tx, {
          ...optionsOf(input),
          environment,
          name: input.name,
          recipientId,
          place,
          connection: await settleKeys(c, tx, {
            ...asSaved(input.vendor, recipientId),
            connection,
          }),
          audit: destinationAudit(c),
        });
      });
      await tellSchedules(c, [destination.id]);
      const shown = presentDestination(destination, deps.registry);
      return c.json(success(await written(c, { destination, shown }), 'Destination created'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKeyOrToken,
      method: 'get',
      path: '/destinations/{destination_id}',
      tags: ['Destinations'],
      summary: 'Read a destination',
      request: { params },
      responses: answers(singleOf('destination', Destination), 401, 404),
    }),
    async (c) => {
      const { destination_id: id } = c.req.valid('param');
      const destination = await getDestination(c.var.deps.db, { ...scopeOf(c), id });
      const present = await destinationPresenter(c, [destination]);
      return c.json(success({ destination: present(destination) }, 'Destination'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKeyOrToken,
      method: 'patch',
      path: '/destinations/{destination_id}',
      tags: ['Destinations'],
      summary: 'Change a destination',
      request: {
        params,
        body: body(wrapped('destination', DestinationPatch), {
          destination: { postgres: { schema: 'other' } },
        }),
      },
      responses: answers(WrittenDestination, 400, 401, 404, 409),
    }),
    async (c) => {
      const { destination_id: id } = c.req.valid('param');
      const { destination: patch } = c.req.valid('json');
      const { deps } = c.var;
      const stored = await getDestination(deps.db, { ...scopeOf(c), id });
      checkGrantedChange(c, { id, stored: { [stored.vendor]: stored.settings }, change: patch });
      const change = await changeOf(c, { stored, patch });
      const isEmpty = Object.values(change).every((value) => value === undefined);
      const destination = isEmpty
        ? stored
        : await updateDestination(deps.db, {
            ...scopeOf(c),
            id,
            ...change,
            audit: destinationAudit(c),
          });
      await tellSchedules(c, [id]);
      const present = await destinationPresenter(c, [destination]);
      const shown = present(destination);
      return c.json(success(await written(c, { destination, shown }), 'Destination updated'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKeyOrToken,
      method: 'delete',
      path: '/destinations/{destination_id}',
      tags: ['Destinations'],
      summary: 'Delete a destination',
      description: 'Waiting and running transfers are cancelled; the rows that landed stay.',
      request: { params },
      responses: answers(EmptyEnvelope, 401, 404),
    }),
    async (c) => {
      const { destination_id: id } = c.req.valid('param');
      const { deps } = c.var;
      // One of another recipient does not exist, whatever the token was made for.
      await getDestination(deps.db, { ...scopeOf(c), id });
      checkGrantedDelete(c, id);
      const { stoppingIds } = await deleteDestination(deps.db, {
        ...scopeOf(c),
        id,
        audit: destinationAudit(c),
      });
      await tellSchedules(c, [id]);
      await Promise.all(stoppingIds.map((transferId) => stop(c, transferId)));
      return c.json(success({}, 'Destination deleted'), 200);
    },
  );

async function recipientOf(c: Context<AppEnv>, db: Db, input: Input): Promise<string> {
  const { recipientId } = c.var;
  if (recipientId !== undefined) return recipientId;
  if (input.recipient_id !== undefined) return input.recipient_id;
  const idInProviderSystem = input.id_in_provider_system;
  if (idInProviderSystem === undefined) {
    const message = 'destination.recipient_id is missing; it must be the id of a recipient.';
    throw invalid([{ path: 'destination.recipient_id', code: 'required', message }]);
  }
  const { environment, actor } = c.var;
  const audit = { actor, present: presentRecipient };
  return (await ensureRecipient(db, { environment, idInProviderSystem, audit })).id;
}

/** What a patch changes; every field undefined where it changes nothing. */
async function changeOf(
  c: Context<AppEnv>,
  { stored, patch }: { stored: DestinationRecord; patch: Patch },
) {
  checkMachineType(c, { wanted: patch.machine_type_id, stored: stored.machineTypeId });
  checkFixed('recipient_id', stored.recipientId, patch.recipient_id?.toLowerCase());
  checkFixed('id_in_provider_system', stored.idInProviderSystem, patch.id_in_provider_system);
  const { deps } = c.var;
  const changed = changedConnection(deps, 'destination', { stored, patch });
  if (changed === undefined) return { ...optionsOf(patch), connection: undefined };
  const connection = { ...changed.connection, place: changed.place };
  const keyed = { ...asSaved(stored.vendor, stored.recipientId), connection };
  return { ...optionsOf(patch), connection: await settleKeys(c, deps.db, keyed) };
}

const asSaved = (vendor: string, recipientId: string) =>
  ({ role: 'destination', vendor, recipientId, isSaved: true }) as const;

function checkFixed(field: string, stored: string, wanted: string | undefined): void {
  if (wanted === undefined || wanted === stored) return;
  const path = `destination.${field}`;
  const message = `${path} is fixed: it is ${stored}. Create another destination instead.`;
  throw invalid([{ path, code: 'fixed', message }]);
}

/** The mark is in the row; where the engine is away, `reconcile` tells the workflow later. */
async function stop(c: Context<AppEnv>, transferId: string): Promise<void> {
  const { workflows, log } = c.get('deps');
  try {
    await workflows.cancelTransfer(transferId);
  } catch (error) {
    const fields = { requestId: c.get('requestId'), transferId, ...describeError(error) };
    log.warn(fields, 'a transfer could not be told to stop; reconcile will do it');
  }
}
