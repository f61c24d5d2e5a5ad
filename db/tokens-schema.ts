import { boolean, index, jsonb, snakeCase, text, uuid } from 'drizzle-orm/pg-core';
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

/** A link that lets somebody without an account add one destination for one recipient. */
export const magicLinks = snakeCase.table(
  'magic_links',
  {
    id: id(),
    environment: ofEnvironment(),
    recipientId: refersTo(() => recipients.id).notNull(),
    /** Of the destination to be made. */
    name: text().notNull(),
    vendor: text(),
    /** What is filled in and locked, by its name on the wire. No secrets. */
    presets: jsonb().$type<Record<string, string>>().notNull(),
    setDestinationEnabled: boolean().notNull(),
    redirectUrl: text(),
    /** SHA-256 of the token, hex. */
    tokenHash: text().notNull().unique(),
    createdAt: createdAt(),
    expiresAt: instant().notNull(),
    usedAt: instant(),
  },
  (t) => [
    index('magic_links_created_at').on(t.environment, t.createdAt, t.id),
    index('magic_links_recipient_id').on(t.recipientId),
    index('magic_links_expires_at').on(t.expiresAt),
  ],
);
