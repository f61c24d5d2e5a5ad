import { z } from '@hono/zod-openapi';
import type { ConnectorRegistry } from '../connectors/connector.ts';
import type { AppEnv } from './deps.ts';
import type { DestinationOptions, DestinationRecord } from '../db/destinations.ts';
import { Name, emptyAsAbsent, wireInteger } from './inputs.ts';
import { ScheduleInput } from './schedule-input.ts';
import { instantOut, optionalInstantOut } from '../domain/outputs.ts';
import { echoSettings } from './settings.ts';
import { Transfer } from './transfer-object.ts';

const Freshness = z
  .object({
    model_id: z.uuid(),
    model_name: z.string(),
    current_as_of: z.iso.datetime().nullable().openapi({
      description: 'All that was committed at the source before has landed.',
    }),
    seconds_behind: z.int().nullable(),
    watermark: z.iso.datetime().nullable(),
  })
  .openapi('Freshness');

const Schedule = z
  .object({ cron: z.string(), time_zone: z.string() })
  .openapi('Schedule', { example: { cron: '0 6 * * 1-5', time_zone: 'Europe/Berlin' } });

export const Destination = z
  .looseObject({
    id: z.uuid(),
    vendor: z.string(),
    name: z.string(),
    recipient_id: z.uuid(),
    id_in_provider_system: z.string(),
    products: z.array(z.string()),
    enabled_models: z.array(z.string()),
    frequency_minutes: z.int(),
    schedule: Schedule.nullable().openapi({ description: 'Instead of the frequency.' }),
    max_concurrent_transfers: z.int(),
    max_concurrent_queries_per_transfer: z.int(),
    machine_type_id: z.uuid().nullable(),
    is_enabled: z.boolean(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
    last_successful_transfer_ended_at: z.iso.datetime().nullable(),
    consecutive_failures: z.int().openapi({ description: 'Since the last success.' }),
    stale_since: z.iso.datetime().nullable().openapi({
      description: 'Set while ten or more transfers in a row have failed.',
    }),
    freshness: z.array(Freshness).optional().openapi({
      description: 'How current each model is at the destination, ours.',
    }),
    last_completed_transfer: Transfer.optional().openapi({
      description: 'Left out where there is none.',
    }),
  })
  .openapi('Destination');
export type Destination = z.infer<typeof Destination>;

const options = {
  enabled_models: z
    .array(Name)
    .max(10_000)
    .nullish()
    .openapi({ description: 'Names, or ["*"] for all present and future models.', default: ['*'] }),
  frequency_minutes: wireInteger({ min: 0, max: 525_600 })
    .nullish()
    .openapi({ description: '0: the default of the account.', default: 0 }),
  schedule: ScheduleInput.nullish().openapi({
    description: 'A cron instead of the frequency, ours; null: by the frequency again.',
  }),
  is_enabled: z.boolean().nullish().openapi({ default: true }),
  max_concurrent_transfers: wireInteger({ min: 1, max: 100 }).nullish().openapi({ default: 1 }),
  max_concurrent_queries_per_transfer: wireInteger({ min: 1, max: 100 })
    .nullish()
    .openapi({ default: 1 }),
  machine_type_id: emptyAsNull(z.uuid()),
};

const recipient = {
  recipient_id: emptyAsAbsent(z.uuid()).openapi({ type: 'string', format: 'uuid' }),
  id_in_provider_system: emptyAsAbsent(z.string().max(255)).openapi({
    type: 'string',
    description: 'Instead of recipient_id; the recipient is made where it is unknown.',
  }),
};

export const DestinationInput = z
  .looseObject({ vendor: z.string().min(1), name: Name, ...recipient, ...options })
  .openapi('DestinationInput', {
    description: 'With the connection block under the name of its vendor.',
  });
export type DestinationInput = z.infer<typeof DestinationInput>;

export const DestinationPatch = z
  .looseObject({ vendor: z.string().optional(), name: Name.optional(), ...recipient, ...options })
  .openapi('DestinationPatch', {
    description: 'Only what changes; objects are merged, secrets left out stay.',
  });
export type DestinationPatch = z.infer<typeof DestinationPatch>;

export const destinationExample = {
  destination: {
    vendor: 'postgres',
    name: 'Northwind warehouse',
    recipient_id: '0199aa00-0000-7000-8000-000000000001',
    postgres: {
      host: 'warehouse.northwind.example',
      port: 5432,
      database: 'analytics',
      schema: 'vendor_data',
      auth_method: 'password_auth',
      password_auth: { username: 'loader', password: 'secret' },
    },
  },
};

function emptyAsNull<T extends z.ZodType>(schema: T) {
  return z
    .preprocess((value) => (value === '' ? null : value), schema.nullish())
    .openapi({ type: ['string', 'null'], format: 'uuid' });
}

/** The object of the API: the vendor block under its name, without secrets. */
export function presentDestination(destination: DestinationRecord, registry: ConnectorRegistry) {
  return {
    id: destination.id,
    vendor: destination.vendor,
    name: destination.name,
    recipient_id: destination.recipientId,
    id_in_provider_system: destination.idInProviderSystem,
    [destination.vendor]: echoSettings(
      registry.get(destination.vendor)?.destination,
      destination.settings,
    ),
    products: destination.products,
    enabled_models: destination.enabledModels,
    frequency_minutes: destination.frequencyMinutes,
    schedule:
      destination.scheduleCron === null
        ? null
        : { cron: destination.scheduleCron, time_zone: destination.scheduleTimeZone ?? 'UTC' },
    max_concurrent_transfers: destination.maxConcurrentTransfers,
    max_concurrent_queries_per_transfer: destination.maxConcurrentQueriesPerTransfer,
    machine_type_id: destination.machineTypeId,
    is_enabled: destination.isEnabled,
    created_at: instantOut(destination.createdAt),
    updated_at: instantOut(destination.updatedAt),
    last_successful_transfer_ended_at: optionalInstantOut(
      destination.lastSuccessfulTransferEndedAt,
    ),
    consecutive_failures: destination.consecutiveFailures,
    stale_since: optionalInstantOut(destination.staleSince),
  };
}

export function destinationAudit(c: { readonly var: AppEnv['Variables'] }) {
  const { actor, deps } = c.var;
  return { actor, present: (item: DestinationRecord) => presentDestination(item, deps.registry) };
}

/** The fields besides the connection that were given; null asks for the default. */
export function optionsOf(input: DestinationInput | DestinationPatch): DestinationOptions {
  return {
    name: input.name,
    enabledModels: orDefault(input.enabled_models, ['*']),
    frequencyMinutes: orDefault(input.frequency_minutes, 0),
    schedule: input.schedule && { cron: input.schedule.cron, timeZone: input.schedule.time_zone },
    isEnabled: orDefault(input.is_enabled, true),
    maxConcurrentTransfers: orDefault(input.max_concurrent_transfers, 1),
    maxConcurrentQueriesPerTransfer: orDefault(input.max_concurrent_queries_per_transfer, 1),
    machineTypeId: input.machine_type_id,
  };
}

function orDefault<T>(value: T | null | undefined, usual: T): T | undefined {
  return value === null ? usual : value;
}
