import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ConnectionChange, ConnectionRole } from '../db/connections.ts';
import { getDestination } from '../db/destinations.ts';
import { getSource, recordSourceCheck } from '../db/sources.ts';
import type { StoredConnection } from './connections.ts';
import { settleKeys } from './connection-keys.ts';
import { changedConnection, newConnection } from './connections.ts';
import type { AppEnv } from './deps.ts';
import { DestinationPatch, destinationExample, presentDestination } from './destination-object.ts';
import { success } from './envelope.ts';
import { checkGranted, checkGrantedChange, scopeOf } from './grants.ts';
import { PathId, wrapped } from './inputs.ts';
import type { Tried } from './probes.ts';
import { probeConnection } from './probes.ts';
import { createRouter } from './router.ts';
import { answers, body, withKey, withKeyOrToken } from './routes.ts';
import { SourcePatch, presentSource, sourceExample } from './source-object.ts';
import { DestinationTest, SourceTest, presentReport } from './test-result.ts';
import { echoSettings } from './settings.ts';

const description =
  'A worker tries it. The envelope is a success whenever the request was well-formed; ' +
  'the outcome is `data.status`.';

const withVendor = { vendor: z.string().min(1) };
const sourceParams = z.object({ source_id: PathId });
const changedSource = z.object({ source: SourcePatch.nullish() });

const testStoredSource = {
  ...withKey,
  method: 'post' as const,
  tags: ['Sources'],
  summary: 'Test a stored source, with changes laid on it',
  description,
  request: { params: sourceParams, body: body(changedSource, { source: {} }) },
  responses: answers(SourceTest, 400, 401, 404, 503),
};

export const connectionTests = createRouter()
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/test-source',
      tags: ['Sources'],
      summary: 'Test a source that is not saved',
      description,
      request: { body: body(wrapped('source', SourcePatch.extend(withVendor)), sourceExample) },
      responses: answers(SourceTest, 400, 401, 503),
    }),
    async (c) => {
      const { source: input } = c.req.valid('json');
      const { deps } = c.var;
      const made = newConnection(deps, 'source', input);
      const connection = await settleKeys(c, deps.db, {
        ...asTested('source', input.vendor, null),
        ...made,
      });
      const report = await probeConnection(c, 'source', { fresh: connection });
      const result = presentReport(report, deps.publicUrl);
      const block = echoSettings(deps.registry.get(input.vendor)?.source, connection.settings);
      const source = {
        ...unsavedSource,
        vendor: input.vendor,
        name: input.name ?? null,
        [input.vendor]: block,
      };
      return c.json(success({ ...result, source }, result.message), 200);
    },
  )
  .openapi(
    createRoute({ ...testStoredSource, path: '/sources/{source_id}/test-connection' }),
    async (c) => {
      const { source_id: id } = c.req.valid('param');
      return c.json(await testSource(c, id, c.req.valid('json').source ?? {}), 200);
    },
  )
  .openapi(
    createRoute({ ...testStoredSource, path: '/sources/{source_id}/test-source' }),
    async (c) => {
      const { source_id: id } = c.req.valid('param');
      return c.json(await testSource(c, id, c.req.valid('json').source ?? {}), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKeyOrToken,
      method: 'post',
      path: '/test-destination',
      tags: ['Destinations'],
      summary: 'Test a destination that is not saved',
      description,
      request: {
        body: body(wrapped('destination', DestinationPatch.extend(withVendor)), destinationExample),
      },
      responses: answers(DestinationTest, 400, 401, 503),
    }),
    async (c) => {
      const { destination } = c.req.valid('json');
      checkGranted(c, destination);
      return c.json(await testNewDestination(c, destination), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKeyOrToken,
      method: 'post',
      path: '/destinations/{destination_id}/test-connection',
      tags: ['Destinations'],
      summary: 'Test a stored destination, with changes laid on it',
      description,
      request: {
        params: z.object({ destination_id: PathId }),
        body: body(z.object({ destination: DestinationPatch.nullish() }), { destination: {} }),
      },
      responses: answers(DestinationTest, 400, 401, 404, 503),
    }),
    async (c) => {
      const { destination_id: id } = c.req.valid('param');
      const patch = c.req.valid('json').destination ?? {};
      const { deps } = c.var;
      const stored = await getDestination(deps.db, { ...scopeOf(c), id });
      checkGrantedChange(c, { id, stored: { [stored.vendor]: stored.settings }, change: patch });
      const changed = changedConnection(deps, 'destination', { stored, patch });
      const keyed = asTested('destination', stored.vendor, stored.recipientId);
      const change = changed && (await settleKeys(c, deps.db, { ...keyed, ...changed }));
      const report = await probeConnection(c, 'destination', triedOf(stored, change));
      const result = presentReport(report, deps.publicUrl);
      const merged = { ...stored, settings: change?.settings ?? stored.settings };
      const destination: TestedDestination = {
        ...presentDestination(merged, deps.registry),
        ...fieldsOf(patch),
      };
      return c.json(success({ ...result, destination }, result.message), 200);
    },
  );

/** Has a worker try a destination that is stored nowhere. @throws Failure `invalid`, `unavailable` */
export async function testNewDestination(
  c: Context<AppEnv>,
  input: z.infer<typeof DestinationPatch> & { vendor: string },
) {
  const { deps } = c.var;
  const { vendor } = input;
  const made = newConnection(deps, 'destination', input);
  const recipientId = c.var.recipientId ?? input.recipient_id?.toLowerCase();
  const keyed = { ...asTested('destination', vendor, recipientId), ...made };
  const connection = await settleKeys(c, deps.db, keyed);
  const report = await probeConnection(c, 'destination', { fresh: connection });
  const result = presentReport(report, deps.publicUrl);
  const block = echoSettings(deps.registry.get(vendor)?.destination, connection.settings);
  const destination = { ...unsavedDestination, ...fieldsOf(input), vendor, [vendor]: block };
  return success({ ...result, destination }, result.message);
}

async function testSource(c: Context<AppEnv>, id: string, patch: z.infer<typeof SourcePatch>) {
  const { environment, deps } = c.var;
  const stored = await getSource(deps.db, { environment, id });
  const changed = changedConnection(deps, 'source', { stored, patch });
  const keyed = asTested('source', stored.vendor, null);
  const change = changed && (await settleKeys(c, deps.db, { ...keyed, ...changed }));
  const report = await probeConnection(c, 'source', triedOf(stored, change));
  const result = presentReport(report, deps.publicUrl);
  if (change === undefined) {
    await recordSourceCheck(deps.db, { environment, id, isReachable: result.status === 'success' });
  }
  const merged = {
    ...stored,
    name: patch.name ?? stored.name,
    settings: change?.settings ?? stored.settings,
  };
  return success({ ...result, source: presentSource(merged, deps.registry) }, result.message);
}

function asTested(role: ConnectionRole, vendor: string, recipientId: string | null | undefined) {
  return { role, vendor, recipientId, isSaved: false };
}

function triedOf(
  stored: StoredConnection & { readonly id: string },
  change: ConnectionChange | undefined,
): Tried {
  const testedId = stored.id;
  return change === undefined
    ? { stored: stored.connectionId, testedId }
    : { changed: change, testedId };
}

type TestedDestination = z.infer<typeof DestinationTest>['data']['destination'];

const unsavedSource = {
  id: null,
  max_concurrent_transfers: null,
  created_at: null,
  updated_at: null,
  is_reachable: null,
  last_checked_at: null,
};

const unsavedDestination = {
  id: null,
  name: null,
  recipient_id: null,
  id_in_provider_system: null,
  products: null,
  enabled_models: null,
  frequency_minutes: null,
  schedule: null,
  max_concurrent_transfers: null,
  max_concurrent_queries_per_transfer: null,
  machine_type_id: null,
  is_enabled: null,
  created_at: null,
  updated_at: null,
  last_successful_transfer_ended_at: null,
  consecutive_failures: null,
  stale_since: null,
};

/** The fields besides the connection that the request gave. */
function fieldsOf(input: z.infer<typeof DestinationPatch>) {
  const { name, recipient_id, enabled_models, frequency_minutes, is_enabled } = input;
  const given = Object.entries({
    name,
    recipient_id,
    enabled_models,
    frequency_minutes,
    is_enabled,
  });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined && value !== null));
}
