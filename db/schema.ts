import { sql } from 'drizzle-orm';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';
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
import type { ErrorObject } from '../domain/failure.ts';
import type { InstantText } from '../domain/instant.ts';
import type { LandedTable } from '../domain/load.ts';
import type { ModelDefinition } from '../domain/model.ts';
import type { StoredPlan } from '../domain/plan.ts';
import type { ProbeReport } from '../domain/probe.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import {
  actorType,
  connectionRole,
  createdAt,
  environment,
  exactInstant,
  id,
  instant,
  modelStatus,
  nameKind,
  probeKind,
  transferStatus,
  transferTrigger,
} from './columns.ts';

// Every row that an API key can reach carries its environment. Ids are made by us (version 7).

const ofEnvironment = () => environment().notNull();
const refersTo = (column: () => AnyPgColumn) => uuid().references(column);
const notDeleted = sql`deleted_at is null`;

export const apiKeys = snakeCase.table('api_keys', {
  id: id(),
  environment: ofEnvironment(),
  name: text().notNull(),
  /** SHA-256 of the key, hex. The key itself is shown once and kept nowhere. */
  keyHash: text().notNull().unique(),
  /** The first characters, by which people tell keys apart. */
  prefix: text().notNull(),
  createdAt: createdAt(),
  expiresAt: instant(),
  lastUsedAt: instant(),
  revokedAt: instant(),
});

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
    isEnabled: boolean().notNull(),
    maxConcurrentTransfers: integer().notNull(),
    maxConcurrentQueriesPerTransfer: integer().notNull(),
    machineTypeId: uuid(),
    lastSuccessfulTransferEndedAt: instant(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: instant(),
  },
  (t) => [
    index('destinations_created_at').on(t.environment, t.createdAt, t.id),
    index('destinations_recipient_id').on(t.recipientId),
    index('destinations_place').on(t.environment, t.place).where(notDeleted),
    index('destinations_connection_id').on(t.connectionId),
  ],
);

export const transfers = snakeCase.table(
  'transfers',
  {
    id: id(),
    environment: ofEnvironment(),
    destinationId: refersTo(() => destinations.id).notNull(),
    recipientId: refersTo(() => recipients.id).notNull(),
    status: transferStatus().notNull(),
    trigger: transferTrigger().notNull(),
    isFullRefresh: boolean().notNull(),
    isDebugMode: boolean().notNull(),
    isPaused: boolean().notNull().default(false),
    startWindowAt: exactInstant(),
    endWindowAt: exactInstant(),
    tags: jsonb().$type<Record<string, string>>().notNull(),
    actorId: text().notNull(),
    actorType: actorType().notNull(),
    /** Both frozen at submission, like the models. */
    tenantId: text().notNull(),
    startBoundEpoch: bigint({ mode: 'number' }),
    submittedAt: instant().notNull(),
    enqueuedAt: instant(),
    startedAt: instant(),
    endedAt: instant(),
    cancelRequestedAt: instant(),
    /** The connection revision it runs on, chosen when it opens. */
    destinationConnectionId: refersTo(() => connections.id),
    workflowRunId: text(),
    error: jsonb().$type<ErrorObject>(),
  },
  (t) => [
    index('transfers_submitted_at').on(t.environment, t.submittedAt, t.id),
    index('transfers_of_destination').on(t.destinationId, t.submittedAt, t.id),
    index('transfers_of_recipient').on(t.recipientId, t.submittedAt, t.id),
    index('transfers_ended_at').on(t.environment, t.endedAt),
    index('transfers_open')
      .on(t.destinationId, t.submittedAt)
      .where(sql`ended_at is null`),
    index('transfers_destination_connection_id').on(t.destinationConnectionId),
    index('transfers_tags').using('gin', t.tags),
  ],
);

export const transferModels = snakeCase.table(
  'transfer_models',
  {
    transferId: refersTo(() => transfers.id).notNull(),
    modelId: refersTo(() => models.id).notNull(),
    position: integer().notNull(),
    modelName: text().notNull(),
    revisionId: refersTo(() => modelRevisions.id).notNull(),
    sourceId: refersTo(() => sources.id).notNull(),
    sourceConnectionId: refersTo(() => connections.id),
    status: modelStatus().notNull(),
    plan: jsonb().$type<StoredPlan>(),
    guarantee: jsonb().$type<JsonObject>(),
    rows: bigint({ mode: 'number' }).notNull().default(0),
    deltaRows: bigint({ mode: 'number' }).notNull().default(0),
    rowsChanged: bigint({ mode: 'number' }).notNull().default(0),
    bytes: bigint({ mode: 'number' }).notNull().default(0),
    windowAfter: text().$type<InstantText>(),
    windowUpTo: text().$type<InstantText>(),
    mostRecentAt: text().$type<InstantText>(),
    failuresSinceCommit: integer().notNull().default(0),
    failingSince: instant(),
    error: jsonb().$type<ErrorObject>(),
    startedAt: instant(),
    endedAt: instant(),
  },
  (t) => [
    primaryKey({ columns: [t.transferId, t.modelId] }),
    index('transfer_models_model_id').on(t.modelId),
    index('transfer_models_revision_id').on(t.revisionId),
    index('transfer_models_source_id').on(t.sourceId),
    index('transfer_models_source_connection_id').on(t.sourceConnectionId),
  ],
);

export const transferLog = snakeCase.table(
  'transfer_log',
  {
    id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    transferId: refersTo(() => transfers.id).notNull(),
    at: createdAt(),
    line: text().notNull(),
    isDebug: boolean().notNull(),
  },
  (t) => [index('transfer_log_transfer_id').on(t.transferId, t.id)],
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
    updatedAt: createdAt(),
  },
  (t) => [
    primaryKey({ columns: [t.destinationId, t.modelId] }),
    index('model_states_model_id').on(t.modelId),
  ],
);

export const idempotencyKeys = snakeCase.table(
  'idempotency_keys',
  {
    environment: ofEnvironment(),
    key: text().notNull(),
    bodyHash: text().notNull(),
    transferId: uuid().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    primaryKey({ columns: [t.environment, t.key] }),
    index('idempotency_keys_created_at').on(t.createdAt),
  ],
);

export const auditLog = snakeCase.table(
  'audit_log',
  {
    id: id(),
    environment: ofEnvironment(),
    at: createdAt(),
    eventType: text().notNull(),
    resourceId: text().notNull(),
    actorId: text().notNull(),
    actorType: actorType().notNull(),
    object: jsonb().$type<JsonObject>(),
    previousObject: jsonb().$type<JsonObject>(),
  },
  (t) => [
    index('audit_log_at').on(t.environment, t.at, t.id),
    index('audit_log_resource_id').on(t.environment, t.resourceId, t.at),
  ],
);

export const probes = snakeCase.table(
  'probes',
  {
    id: id(),
    environment: ofEnvironment(),
    kind: probeKind().notNull(),
    connectionId: refersTo(() => connections.id).notNull(),
    /** What to check, without secrets. */
    input: jsonb().$type<JsonObject>().notNull(),
    result: jsonb().$type<ProbeReport>(),
    createdAt: createdAt(),
    finishedAt: instant(),
    expiresAt: instant().notNull(),
  },
  (t) => [
    index('probes_expires_at').on(t.expiresAt),
    index('probes_connection_id').on(t.connectionId),
  ],
);
