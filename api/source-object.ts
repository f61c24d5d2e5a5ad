import { z } from '@hono/zod-openapi';
import type { ConnectorRegistry } from '../connectors/connector.ts';
import type { SourceRecord } from '../db/sources.ts';
import { Name, wireInteger } from './inputs.ts';
import { instantOut, optionalInstantOut } from '../domain/outputs.ts';
import { echoSettings } from './settings.ts';

const maxDescription =
  'Transfers at once that may read from it, ours; null: as many as the environment lets run.';

const caps = {
  max_concurrent_transfers: wireInteger({ min: 1, max: 10_000 })
    .nullish()
    .openapi({ description: maxDescription }),
};

export const Source = z
  .looseObject({
    id: z.uuid(),
    name: z.string(),
    vendor: z.string(),
    max_concurrent_transfers: z.int().nullable().openapi({ description: maxDescription }),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
    is_reachable: z
      .boolean()
      .nullable()
      .openapi({ description: 'What the last connection test said.' }),
    last_checked_at: z.iso.datetime().nullable(),
  })
  .openapi('Source');

export const SourceInput = z
  .looseObject({ vendor: z.string().min(1), name: Name, ...caps })
  .openapi('SourceInput', {
    description: 'With the connection block under the name of its vendor.',
  });

export const SourcePatch = z
  .looseObject({ vendor: z.string().optional(), name: Name.optional(), ...caps })
  .openapi('SourcePatch', {
    description: 'Only what changes; objects are merged, secrets left out stay.',
  });

export const sourceExample = {
  source: {
    vendor: 'postgres',
    name: 'Main database',
    postgres: {
      host: 'db.example.com',
      port: 5432,
      database: 'app',
      schema: 'public',
      auth_method: 'password_auth',
      password_auth: { username: 'waybill', password: 'secret' },
    },
  },
};

/** The object of the API: the vendor block under its name, without secrets. */
export function presentSource(source: SourceRecord, registry: ConnectorRegistry) {
  return {
    id: source.id,
    name: source.name,
    vendor: source.vendor,
    [source.vendor]: echoSettings(registry.get(source.vendor)?.source, source.settings),
    max_concurrent_transfers: source.maxConcurrentTransfers,
    created_at: instantOut(source.createdAt),
    updated_at: instantOut(source.updatedAt),
    is_reachable: source.isReachable,
    last_checked_at: optionalInstantOut(source.lastCheckedAt),
  };
}
