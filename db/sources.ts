import { and, eq, getColumns, inArray, isNull, sql, type SQL } from 'drizzle-orm';
import { Failure } from '../domain/failure.ts';
import type { Environment } from '../domain/statuses.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import { isUuid, uuidv7 } from '../lib/uuid.ts';
import { recordAudit, type Audit } from './audit.ts';
import {
  insertConnection,
  reviseConnection,
  type ConnectionChange,
  type ConnectionInput,
} from './connections.ts';
import { onDuplicate, type Db } from './database.ts';
import { keyset, pageOf, type Page, type PageRequest } from './paging.ts';
import { connections, models, sources } from './schema.ts';

export interface SourceRecord {
  readonly id: string;
  readonly environment: Environment;
  readonly name: string;
  readonly vendor: string;
  readonly connectionId: string;
  /** The vendor block without its secrets. */
  readonly settings: JsonObject;
  /** Which secrets are stored, as dotted paths. */
  readonly secretPaths: string[];
  /** Transfers at once that may read from it; null: as many as the environment lets run. */
  readonly maxConcurrentTransfers: number | null;
  readonly isReachable: boolean | null;
  readonly lastCheckedAt: Date | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

const { deletedAt: _deletedAt, ...own } = getColumns(sources);
const columns = { ...own, settings: connections.settings, secretPaths: connections.secretPaths };

const isConnection = eq(connections.id, sources.connectionId);
const notDeleted = isNull(sources.deletedAt);
const ofEnvironment = (environment: Environment) => eq(sources.environment, environment);

/** @throws Failure `conflict` when the name is taken. */
export async function insertSource(
  db: Db,
  input: {
    environment: Environment;
    name: string;
    maxConcurrentTransfers?: number | null | undefined;
    connection: ConnectionInput;
    audit: Audit<SourceRecord>;
  },
): Promise<SourceRecord> {
  const { environment, name, connection, audit, maxConcurrentTransfers = null } = input;
  const id = uuidv7();
  return await onDuplicate('sources_name', nameTaken(name), () =>
    db.transaction(async (tx) => {
      const connectionId = await insertConnection(tx, {
        ...connection,
        environment,
        role: 'source',
      });
      const { vendor } = connection;
      await tx
        .insert(sources)
        .values({ id, environment, name, vendor, connectionId, maxConcurrentTransfers });
      const source = await getSource(tx, { environment, id });
      await recordAudit(tx, {
        environment,
        eventType: 'SOURCE_ADD',
        resourceId: id,
        actor: audit.actor,
        object: audit.present(source),
      });
      return source;
    }),
  );
}

/** @throws Failure `not_found` */
export async function getSource(
  db: Db,
  input: { environment: Environment; id: string },
): Promise<SourceRecord> {
  const [source] = await db
    .select(columns)
    .from(sources)
    .innerJoin(connections, isConnection)
    .where(isLive(input));
  if (!source) throw new Failure('not_found', `There is no source ${input.id}.`);
  return source;
}

export async function listSources(
  db: Db,
  input: {
    environment: Environment;
    page: PageRequest;
    names?: readonly string[] | undefined;
    vendors?: readonly string[] | undefined;
  },
): Promise<Page<SourceRecord>> {
  const position = keyset(input.page, { at: sources.createdAt, id: sources.id });
  const rows = await db
    .select({ ...columns, sortValue: position.sortValue })
    .from(sources)
    .innerJoin(connections, isConnection)
    .where(
      and(
        ofEnvironment(input.environment),
        notDeleted,
        input.names && inArray(sources.name, [...input.names]),
        input.vendors && inArray(sources.vendor, [...input.vendors]),
        position.after,
      ),
    )
    .orderBy(...position.orderBy)
    .limit(position.limit);
  return pageOf(rows, input.page);
}

/** @throws Failure `not_found`; `conflict` when the name is taken or the connection was changed meanwhile. */
export async function updateSource(
  db: Db,
  input: {
    environment: Environment;
    id: string;
    name?: string | undefined;
    /** Null: no cap of its own. */
    maxConcurrentTransfers?: number | null | undefined;
    connection?: ConnectionChange | undefined;
    audit: Audit<SourceRecord>;
  },
): Promise<SourceRecord> {
  const { environment, id, name, connection, audit, maxConcurrentTransfers: max } = input;
  return await onDuplicate('sources_name', nameTaken(name ?? ''), () =>
    db.transaction(async (tx) => {
      await tx.select({ id: sources.id }).from(sources).where(isLive(input)).for('no key update');
      const before = await getSource(tx, input);
      if (connection && connection.basedOn !== before.connectionId) throw changedMeanwhile(id);
      const connectionId = connection
        ? await reviseConnection(tx, { ...connection, environment, role: 'source' })
        : before.connectionId;
      await tx
        .update(sources)
        .set({
          name: name ?? before.name,
          connectionId,
          maxConcurrentTransfers: max === undefined ? before.maxConcurrentTransfers : max,
          updatedAt: sql`now()`,
        })
        .where(isLive(input));
      const source = await getSource(tx, input);
      await recordAudit(tx, {
        environment,
        eventType: 'SOURCE_UPDATE',
        resourceId: id,
        actor: audit.actor,
        object: audit.present(source),
        previousObject: audit.present(before),
      });
      return source;
    }),
  );
}

/** What the last connection test of a stored source came to. */
export async function recordSourceCheck(
  db: Db,
  input: { environment: Environment; id: string; isReachable: boolean },
): Promise<void> {
  await db
    .update(sources)
    .set({ isReachable: input.isReachable, lastCheckedAt: sql`now()` })
    .where(and(eq(sources.id, input.id), ofEnvironment(input.environment)));
}

/** @throws Failure `not_found`; `conflict` while a model reads it. */
export async function deleteSource(
  db: Db,
  input: { environment: Environment; id: string; audit: Audit<SourceRecord> },
): Promise<void> {
  await db.transaction(async (tx) => {
    // The full lock keeps models from being pointed at it while we look.
    await tx.select({ id: sources.id }).from(sources).where(isLive(input)).for('update');
    const source = await getSource(tx, input);
    const users = await tx
      .select({ name: models.name })
      .from(models)
      .where(and(eq(models.sourceId, input.id), isNull(models.deletedAt)))
      .limit(3);
    if (users.length > 0) {
      const names = users.map((model) => model.name).join(', ');
      throw new Failure(
        'conflict',
        `Source ${source.name} is read by models (${names}). Delete them first.`,
      );
    }
    await tx
      .update(sources)
      .set({ deletedAt: sql`now()` })
      .where(isLive(input));
    await recordAudit(tx, {
      environment: input.environment,
      eventType: 'SOURCE_DELETE',
      resourceId: input.id,
      actor: input.audit.actor,
      previousObject: input.audit.present(source),
    });
  });
}

/** An id that is no UUID matches nothing; Postgres would refuse the comparison itself. */
function isLive({ environment, id }: { environment: Environment; id: string }): SQL | undefined {
  return isUuid(id) ? and(eq(sources.id, id), ofEnvironment(environment), notDeleted) : sql`false`;
}

function nameTaken(name: string): Failure {
  const message = `There is a source named ${name} already.`;
  return new Failure('conflict', message, {
    violations: [{ path: 'source.name', code: 'taken', message }],
  });
}

function changedMeanwhile(id: string): Failure {
  return new Failure(
    'conflict',
    `The connection of source ${id} was changed by somebody else meanwhile.`,
  );
}
