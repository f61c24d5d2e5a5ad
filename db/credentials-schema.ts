import { index, snakeCase, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { createdAt, id, ofEnvironment, refersTo } from './columns.ts';
import { recipients, sources } from './schema.ts';

/** The login with which the rows of one recipient are read from one source, instead of the source's own. */
export const sourceCredentials = snakeCase.table(
  'recipient_source_credentials',
  {
    id: id(),
    environment: ofEnvironment(),
    recipientId: refersTo(() => recipients.id).notNull(),
    sourceId: refersTo(() => sources.id).notNull(),
    username: text().notNull(),
    /** Sealed. */
    password: text().notNull(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
  },
  (t) => [
    uniqueIndex('recipient_source_credentials_pair').on(t.recipientId, t.sourceId),
    index('recipient_source_credentials_created_at').on(t.environment, t.createdAt, t.id),
    index('recipient_source_credentials_source_id').on(t.sourceId),
  ],
);
