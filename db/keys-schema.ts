import { sql } from 'drizzle-orm';
import {
  boolean,
  index,
  integer,
  primaryKey,
  snakeCase,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import { createdAt, environment, id, instant, refersTo } from './columns.ts';
import { recipients } from './schema.ts';

/** Key pairs that we made, whose public half goes to the other side. */
export const keyPairs = snakeCase.table(
  'key_pairs',
  {
    id: id(),
    /** SHA-256 of the public half, as OpenSSH prints it. */
    fingerprint: text().notNull().unique(),
    /** PEM. */
    publicKey: text().notNull(),
    /** Sealed. */
    privateKey: text().notNull(),
    /** Null while nobody has named it. */
    environment: environment(),
    /** Null with an environment: for the vendor's own sources. */
    recipientId: refersTo(() => recipients.id),
    /** The one that its owner gets without naming any. */
    isOwn: boolean().notNull(),
    /** Since when it is kept for good; null: it lapses. */
    keptAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    index('key_pairs_recipient_id').on(t.recipientId),
    index('key_pairs_lapsing')
      .on(t.createdAt)
      .where(sql`kept_at is null`),
    uniqueIndex('key_pairs_own')
      .on(t.environment, t.recipientId)
      .where(sql`is_own`),
    uniqueIndex('key_pairs_own_of_vendor')
      .on(t.environment)
      .where(sql`is_own and recipient_id is null`),
  ],
);

/** The key that an SSH server showed when it first let us in. */
export const sshHostKeys = snakeCase.table(
  'ssh_host_keys',
  {
    host: text().notNull(),
    port: integer().notNull(),
    fingerprint: text().notNull(),
    createdAt: createdAt(),
  },
  (t) => [primaryKey({ columns: [t.host, t.port] })],
);
