import { sql } from 'drizzle-orm';
import { boolean, index, integer, jsonb, snakeCase, text, uuid } from 'drizzle-orm/pg-core';
import type { NoticeType, WebhookKind, WebhookVendor } from '../domain/notices.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import {
  createdAt,
  deliveryStatus,
  id,
  instant,
  notDeleted,
  ofEnvironment,
  refersTo,
} from './columns.ts';
import { models } from './schema.ts';
import { transfers } from './transfer-schema.ts';

export const webhooks = snakeCase.table(
  'webhooks',
  {
    id: id(),
    environment: ofEnvironment(),
    /** `trace`: told what drivers said, and of no events. */
    kind: text().$type<WebhookKind>().notNull().default('webhook'),
    name: text().notNull(),
    vendor: text().$type<WebhookVendor>().notNull(),
    url: text().notNull(),
    events: text().$type<NoticeType>().array().notNull(),
    /** Sealed; write-only. */
    apiKey: text(),
    isEnabled: boolean().notNull(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: instant(),
  },
  (t) => [index('webhooks_environment').on(t.environment, t.createdAt, t.id).where(notDeleted)],
);

/** Something that happened, written in the transaction in which it did. Only where somebody listens. */
export const notices = snakeCase.table(
  'notices',
  {
    id: id(),
    environment: ofEnvironment(),
    type: text().$type<NoticeType>().notNull(),
    /** What it tells of: deliveries of one object arrive in order. */
    resourceId: text().notNull(),
    /** Null: the transfer of that id, as it is when it is sent. */
    data: jsonb().$type<JsonObject>(),
    createdAt: createdAt(),
  },
  (t) => [index('notices_created_at').on(t.createdAt)],
);

/** One notice to one webhook. */
export const deliveries = snakeCase.table(
  'deliveries',
  {
    id: id(),
    noticeId: refersTo(() => notices.id).notNull(),
    webhookId: refersTo(() => webhooks.id).notNull(),
    resourceId: text().notNull(),
    status: deliveryStatus().notNull(),
    attempts: integer().notNull().default(0),
    /** Its workflow has been told. */
    rungAt: instant(),
    createdAt: createdAt(),
    endedAt: instant(),
  },
  (t) => [
    index('deliveries_webhook_id').on(t.webhookId, t.createdAt, t.id),
    index('deliveries_notice_id').on(t.noticeId),
    index('deliveries_open')
      .on(t.webhookId, t.resourceId, t.id)
      .where(sql`ended_at is null`),
  ],
);

export const deliveryAttempts = snakeCase.table(
  'delivery_attempts',
  {
    id: id(),
    deliveryId: refersTo(() => deliveries.id).notNull(),
    at: createdAt(),
    /** Of the answer; null where none came. */
    statusCode: integer(),
    /** Why none came. Never a word of the receiver's. */
    error: text(),
    millis: integer().notNull(),
  },
  (t) => [index('delivery_attempts_delivery_id').on(t.deliveryId, t.id)],
);

/** What signs notices. The newest one that is not retired does. */
export const signingKeys = snakeCase.table('signing_keys', {
  id: id(),
  publicKey: text().notNull(),
  /** Sealed PEM. */
  privateKey: text().notNull(),
  createdAt: createdAt(),
  retiredAt: instant(),
});

/**
 * What a driver said when a step of a transfer or a connection test failed: it may quote rows, so it is
 * sealed, and lapses.
 */
export const sensitiveTraces = snakeCase.table(
  'sensitive_traces',
  {
    id: id(),
    environment: ofEnvironment(),
    /** Null: of a connection test. */
    transferId: refersTo(() => transfers.id),
    modelId: refersTo(() => models.id),
    /** The connection test, whose own row goes with its answer. */
    probeId: uuid(),
    code: text().notNull(),
    /** Sealed. */
    trace: text().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    index('sensitive_traces_transfer_id').on(t.transferId),
    index('sensitive_traces_probe_id').on(t.probeId),
    index('sensitive_traces_created_at').on(t.createdAt),
    index('sensitive_traces_model_id').on(t.modelId),
  ],
);
