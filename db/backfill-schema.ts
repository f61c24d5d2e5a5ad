import { index, primaryKey, snakeCase, text, uuid } from 'drizzle-orm/pg-core';
import type { InstantText } from '../domain/instant.ts';
import { createdAt, refersTo } from './columns.ts';
import { destinations, models } from './schema.ts';

/** Columns that were added to a table with rows in it, and are still to be filled in those. */
export const backfills = snakeCase.table(
  'backfills',
  {
    destinationId: refersTo(() => destinations.id).notNull(),
    modelId: refersTo(() => models.id).notNull(),
    columns: text().array().notNull(),
    /** The watermark from before they were added: rows from there on are read with them anyhow. */
    upTo: text().$type<InstantText>().notNull(),
    /** All rows below have been read with them. */
    reached: text().$type<InstantText>(),
    /** The transfer that fills them now, or was the last to do so; it may have been purged. */
    transferId: uuid(),
    requestedAt: createdAt(),
  },
  (t) => [
    primaryKey({ columns: [t.destinationId, t.modelId] }),
    index('backfills_model_id').on(t.modelId),
  ],
);
