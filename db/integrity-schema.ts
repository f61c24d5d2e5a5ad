import { index, jsonb, primaryKey, snakeCase, text, uuid } from 'drizzle-orm/pg-core';
import { sql } from 'drizzle-orm';
import type { ErrorObject } from '../domain/failure.ts';
import type { Comparison, ComparisonResult } from '../domain/integrity.ts';
import {
  actorType,
  exactInstant,
  id,
  instant,
  modelStatus,
  ofEnvironment,
  refersTo,
} from './columns.ts';
import { frozenModel } from './frozen-model.ts';
import { connections, destinations, recipients } from './schema.ts';

/** A comparison of a destination with its sources, model by model. */
export const integrityJobs = snakeCase.table(
  'integrity_jobs',
  {
    id: id(),
    environment: ofEnvironment(),
    destinationId: refersTo(() => destinations.id).notNull(),
    recipientId: refersTo(() => recipients.id).notNull(),
    status: modelStatus().notNull(),
    startWindowAt: exactInstant(),
    endWindowAt: exactInstant(),
    /** It looks at what that job found, and removes what the source does not have. */
    repairsJobId: uuid(),
    actorId: text().notNull(),
    actorType: actorType().notNull(),
    /** Frozen at submission, like the models. */
    tenantId: text().notNull(),
    /** Chosen when it opens. */
    destinationConnectionId: refersTo(() => connections.id),
    submittedAt: instant().notNull().defaultNow(),
    startedAt: instant(),
    endedAt: instant(),
    cancelRequestedAt: instant(),
  },
  (t) => [
    index('integrity_jobs_of_destination').on(t.destinationId, t.submittedAt, t.id),
    index('integrity_jobs_open')
      .on(t.submittedAt)
      .where(sql`ended_at is null`),
    index('integrity_jobs_recipient_id').on(t.recipientId),
    index('integrity_jobs_destination_connection_id').on(t.destinationConnectionId),
  ],
);

export const integrityModels = snakeCase.table(
  'integrity_models',
  {
    jobId: refersTo(() => integrityJobs.id).notNull(),
    ...frozenModel(),
    status: modelStatus().notNull(),
    /** Keys that the caller wants looked at one by one. */
    sampleKeys: text().array().notNull(),
    /** How far it has come: bounds and counts, no key. */
    comparison: jsonb().$type<Comparison>(),
    result: jsonb().$type<ComparisonResult>(),
    error: jsonb().$type<ErrorObject>(),
  },
  (t) => [
    primaryKey({ columns: [t.jobId, t.modelId] }),
    index('integrity_models_model_id').on(t.modelId),
    index('integrity_models_revision_id').on(t.revisionId),
    index('integrity_models_source_id').on(t.sourceId),
    index('integrity_models_source_connection_id').on(t.sourceConnectionId),
  ],
);
