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
  uuid,
} from 'drizzle-orm/pg-core';
import type { ErrorObject } from '../domain/failure.ts';
import type { InstantText } from '../domain/instant.ts';
import type { StoredPlan } from '../domain/plan.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import {
  actorType,
  createdAt,
  exactInstant,
  id,
  instant,
  modelStatus,
  ofEnvironment,
  refersTo,
  transferStatus,
  transferTrigger,
} from './columns.ts';
import { frozenModel } from './frozen-model.ts';
import { connections, destinations, recipients } from './schema.ts';

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
    /** Of the call that submitted it. */
    requestId: text(),
    /** Both frozen at submission, like the models. */
    tenantId: text().notNull(),
    startBoundEpoch: bigint({ mode: 'number' }),
    submittedAt: instant().notNull(),
    enqueuedAt: instant(),
    /** It has a slot of its environment from then on, until it ends. */
    admittedAt: instant(),
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
    index('transfers_admitted')
      .on(t.environment)
      .where(sql`ended_at is null and admitted_at is not null`),
    index('transfers_open')
      .on(t.destinationId, t.submittedAt)
      .where(sql`ended_at is null`),
    index('transfers_destination_connection_id').on(t.destinationConnectionId),
    index('transfers_tags').using('gin', t.tags),
  ],
);

/** Fills new columns in old rows, and gives way to all others. */
export const isBackfill = sql<boolean>`(${transfers.trigger} = 'backfill')`;

export const transferModels = snakeCase.table(
  'transfer_models',
  {
    transferId: refersTo(() => transfers.id).notNull(),
    ...frozenModel(),
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
