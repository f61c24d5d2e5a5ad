import { index, jsonb, snakeCase, text, uuid } from 'drizzle-orm/pg-core';
import { createdAt, id, instant, ofEnvironment, refersTo } from './columns.ts';
import { recipients } from './schema.ts';

export const scopedTokens = snakeCase.table(
  'scoped_tokens',
  {
    id: id(),
    environment: ofEnvironment(),
    recipientId: refersTo(() => recipients.id).notNull(),
    /** SHA-256 of the token, hex. */
    tokenHash: text().notNull().unique(),
    /** Host and port of the page that may use it. */
    origin: text().notNull(),
    /** The destination that its object named by id. */
    destinationId: uuid(),
    /** Path → HMAC of the value under the token, which we do not keep: nobody can guess values from here. */
    leaves: jsonb().$type<Record<string, string>>().notNull(),
    /** The API key that made it. */
    createdBy: text().notNull(),
    createdAt: createdAt(),
    expiresAt: instant().notNull(),
  },
  (t) => [
    index('scoped_tokens_expires_at').on(t.expiresAt),
    index('scoped_tokens_recipient_id').on(t.recipientId),
  ],
);
