import { sql } from 'drizzle-orm';
import { integer, text, uuid, type AnyPgColumn, type AnyPgTable } from 'drizzle-orm/pg-core';
import { refersTo } from './columns.ts';
import type { RecipientModel } from './recipient-models.ts';
import { connections, modelRevisions, models, sources } from './schema.ts';

// A model as a piece of work has it: frozen when that is submitted, and read from where its source and its
// recipient stand when that opens.

/** The columns of such a model, in whatever table holds the work's. */
export const frozenModel = () => ({
  modelId: refersTo(() => models.id).notNull(),
  position: integer().notNull(),
  modelName: text().notNull(),
  revisionId: refersTo(() => modelRevisions.id).notNull(),
  sourceId: refersTo(() => sources.id).notNull(),
  sourceConnectionId: refersTo(() => connections.id),
  /** The recipient's own login, where it has one when the work opens. It may be gone later. */
  sourceCredentialId: uuid(),
});

/** The models as they stand now, in their order. */
export function freeze(list: readonly RecipientModel[]) {
  return list.map((model, position) => ({
    modelId: model.id,
    position,
    modelName: model.name,
    revisionId: model.currentRevisionId,
    sourceId: model.sourceId,
  }));
}

/** The connection that a destination has now. */
export function currentConnection(destinationId: AnyPgColumn) {
  return sql`(select d.connection_id from destinations as d where d.id = ${destinationId})`;
}

/** Where a frozen model is read from now. To be set with its row of `sources` beside it. */
export function currentEnds(
  frozen: { readonly sourceId: AnyPgColumn },
  work: { readonly table: AnyPgTable; readonly id: AnyPgColumn },
) {
  return {
    sourceConnectionId: sql`${sources.connectionId}`,
    sourceCredentialId: sql`(
      select login.id from recipient_source_credentials as login
      join ${work.table} as work on work.recipient_id = login.recipient_id
      where work.id = ${work.id} and login.source_id = ${frozen.sourceId})`,
  };
}
