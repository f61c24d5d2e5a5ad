import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  primaryKey,
  snakeCase,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import type { InstantText } from '../domain/instant.ts';
import type { LandedTable } from '../domain/load.ts';
import type { ModelDefinition } from '../domain/model.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import {
  connectionRole,
  createdAt,
  id,
  instant,
  nameKind,
  notDeleted,
  ofEnvironment,
  refersTo,
} from './columns.ts';

// Every row that an API key can reach carries its environment. Ids are made by us (version 7).

/** A connection is never changed: a source or destination points to its newest revision. */
export const connections = snakeCase.table(
  'connections',
  {
    id: id(),
    environment: ofEnvironment(),
    role: connectionRole().notNull(),
    vendor: text().notNull(),
    /** The vendor block without its secrets. */
    settings: jsonb().$type<JsonObject>().notNull(),
    /** The secrets as a sealed JSON object of the same shape. */
    secrets: text().notNull(),
    /** Which secrets are stored, as dotted paths: known without opening them. */
    secretPaths: text().array().notNull(),
    createdAt: createdAt(),
    /** Only for one that was never saved: it is there for one test. */
    expiresAt: instant(),
  },
  (t) => [
    index('connections_expires_at')
      .on(t.expiresAt)
      .where(sql`expires_at is not null`),
  ],
);

export const sources = snakeCase.table(
  'sources',
  {
    id: id(),
    environment: ofEnvironment(),
    name: text().notNull(),
    vendor: text().notNull(),
    connectionId: refersTo(() => connections.id).notNull(),
    /** Transfers at once that may read from it; null: as many as the environment lets run. */
    maxConcurrentTransfers: integer(),
    isReachable: boolean(),
    lastCheckedAt: instant(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: instant(),
  },
  (t) => [
    uniqueIndex('sources_name').on(t.environment, t.name).where(notDeleted),
    index('sources_created_at').on(t.environment, t.createdAt, t.id),
    index('sources_connection_id').on(t.connectionId),
  ],
);

export const models = snakeCase.table(
  'models',
  {
    id: id(),
    environment: ofEnvironment(),
    name: text().notNull(),
    currentRevisionId: uuid().notNull(),
    sourceId: refersTo(() => sources.id).notNull(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: instant(),
  },
  (t) => [
    // Deleted models included: the name of a model is never given to another one.
    uniqueIndex('models_name').on(t.environment, t.name),
    index('models_created_at').on(t.environment, t.createdAt, t.id),
    index('models_source_id').on(t.sourceId),
  ],
);

export const modelRevisions = snakeCase.table(
  'model_revisions',
  {
    id: id(),
    modelId: refersTo(() => models.id).notNull(),
    environment: ofEnvironment(),
    number: integer().notNull(),
    definition: jsonb().$type<ModelDefinition>().notNull(),
    sourceId: refersTo(() => sources.id).notNull(),
    createdAt: createdAt(),
    createdBy: text().notNull(),
  },
  (t) => [
    uniqueIndex('model_revisions_number').on(t.modelId, t.number),
    index('model_revisions_source_id').on(t.sourceId),
  ],
);

/** Every destination name a model ever had: a dropped one is never used again. */
export const nameHistory = snakeCase.table(
  'name_history',
  {
    environment: ofEnvironment(),
    modelId: refersTo(() => models.id).notNull(),
    kind: nameKind().notNull(),
    /** Lower case. */
    name: text().notNull(),
    /** Of a column: its logical type. */
    dataType: text(),
    firstSeenAt: createdAt(),
    droppedAt: instant(),
  },
  (t) => [
    primaryKey({ columns: [t.modelId, t.kind, t.name] }),
    index('name_history_name').on(t.environment, t.kind, t.name),
  ],
);

export const products = snakeCase.table(
  'products',
  {
    id: id(),
    environment: ofEnvironment(),
    name: text().notNull(),
    models: text().array().notNull(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
  },
  (t) => [
    uniqueIndex('products_name').on(t.environment, t.name),
    index('products_created_at').on(t.environment, t.createdAt, t.id),
  ],
);

export const recipients = snakeCase.table(
  'recipients',
  {
    id: id(),
    environment: ofEnvironment(),
    name: text().notNull(),
    idInProviderSystem: text().notNull(),
    products: text().array().notNull(),
    defaultFullRefreshMinStartTimeEpoch: bigint({ mode: 'number' }),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: instant(),
  },
  (t) => [
    uniqueIndex('recipients_provider_id').on(t.environment, t.idInProviderSystem).where(notDeleted),
    index('recipients_created_at').on(t.environment, t.createdAt, t.id),
  ],
);

export const destinations = snakeCase.table(
  'destinations',
  {
    id: id(),
    environment: ofEnvironment(),
    recipientId: refersTo(() => recipients.id).notNull(),
    vendor: text().notNull(),
    name: text().notNull(),
    connectionId: refersTo(() => connections.id).notNull(),
    /** Fingerprint of where the rows physically land. */
    place: text().notNull(),
    enabledModels: text().array().notNull(),
    frequencyMinutes: integer().notNull(),
    /** Instead of the frequency. */
    scheduleCron: text(),
    scheduleTimeZone: text(),
    /** Raised by every change of what the schedule should be, and the one that Temporal has. */
    scheduleVersion: integer().notNull().default(1),
    scheduledVersion: integer().notNull().default(0),
    isEnabled: boolean().notNull(),
    maxConcurrentTransfers: integer().notNull(),
    maxConcurrentQueriesPerTransfer: integer().notNull(),
    machineTypeId: uuid(),
    lastSuccessfulTransferEndedAt: instant(),
    /** Since the last success; a cancelled transfer counts as nothing. */
    consecutiveFailures: integer().notNull().default(0),
    staleSince: instant(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: instant(),
  },
  (t) => [
    index('destinations_created_at').on(t.environment, t.createdAt, t.id),
    index('destinations_recipient_id').on(t.recipientId),
    index('destinations_place').on(t.environment, t.place).where(notDeleted),
    index('destinations_connection_id').on(t.connectionId),
    index('destinations_outdated_schedules')
      .on(t.id)
      .where(sql`schedule_version <> scheduled_version`),
  ],
);

/** A cache of what the destination said last: the destination's own record counts. */
export const modelStates = snakeCase.table(
  'model_states',
  {
    destinationId: refersTo(() => destinations.id).notNull(),
    modelId: refersTo(() => models.id).notNull(),
    watermark: text().$type<InstantText>(),
    guarantee: jsonb().$type<JsonObject>(),
    appliedTable: jsonb().$type<LandedTable>(),
    /** All that was committed at the source before has landed. */
    currentAsOf: instant(),
    updatedAt: createdAt(),
  },
  (t) => [
    primaryKey({ columns: [t.destinationId, t.modelId] }),
    index('model_states_model_id').on(t.modelId),
  ],
);
