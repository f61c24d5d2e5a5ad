import { index, jsonb, snakeCase, text } from 'drizzle-orm/pg-core';
import type { KeyScope } from '../domain/key-scopes.ts';
import type { ProbeReport } from '../domain/probe.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import {
  actorType,
  createdAt,
  id,
  instant,
  ofEnvironment,
  probeKind,
  refersTo,
} from './columns.ts';
import { connections } from './schema.ts';

export const apiKeys = snakeCase.table('api_keys', {
  id: id(),
  environment: ofEnvironment(),
  name: text().notNull(),
  /** SHA-256 of the key, hex. The key itself is shown once and kept nowhere. */
  keyHash: text().notNull().unique(),
  /** The first characters, by which people tell keys apart. */
  prefix: text().notNull(),
  /** What the key is limited to (`domain/key-scopes.ts`); null: everything in its environment. */
  scopes: text().$type<KeyScope>().array(),
  createdAt: createdAt(),
  expiresAt: instant(),
  lastUsedAt: instant(),
  revokedAt: instant(),
});

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
