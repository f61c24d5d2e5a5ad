import { and, eq, getColumns, inArray, isNull, ne, sql, type SQL } from 'drizzle-orm';
import { Failure } from '../domain/failure.ts';
import type { Environment } from '../domain/statuses.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import { isUuid, uuidv7 } from '../lib/uuid.ts';
import { recordAudit, type Audit } from './audit.ts';
import { cancelPending, requestCancels } from './cancel-transfer.ts';
import {
  insertConnection,
  reviseConnection,
  type ConnectionChange,
  type ConnectionInput,
} from './connections.ts';
import type { Db } from './database.ts';
import { keyset, pageOf, type Page, type PageRequest } from './paging.ts';
import { allModels } from './recipient-models.ts';
import { nextScheduleVersion } from './schedule-version.ts';
import { connections, destinations, recipients } from './schema.ts';

export interface DestinationRecord {
  readonly id: string;
  readonly environment: Environment;
  readonly recipientId: string;
  readonly idInProviderSystem: string;
  /** The recipient's. */
  readonly products: string[];
  readonly vendor: string;
  readonly name: string;
  readonly connectionId: string;
  /** The vendor block without its secrets. */
  readonly settings: JsonObject;
  /** Which secrets are stored, as dotted paths. */
  readonly secretPaths: string[];
  readonly place: string;
  readonly enabledModels: string[];
  readonly frequencyMinutes: number;
  readonly scheduleCron: string | null;
  readonly scheduleTimeZone: string | null;
  readonly isEnabled: boolean;
  readonly maxConcurrentTransfers: number;
  readonly maxConcurrentQueriesPerTransfer: number;
  readonly machineTypeId: string | null;
  readonly lastSuccessfulTransferEndedAt: Date | null;
  readonly consecutiveFailures: number;
  readonly staleSince: Date | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What may change, and what a new destination has unless told: all models, the default schedule, enabled. */
export interface DestinationOptions {
  readonly name?: string | undefined;
  readonly enabledModels?: readonly string[] | undefined;
  readonly frequencyMinutes?: number | undefined;
  /** Instead of the frequency; null: by the frequency again. */
  readonly schedule?: { readonly cron: string; readonly timeZone: string } | null | undefined;
  readonly isEnabled?: boolean | undefined;
  readonly maxConcurrentTransfers?: number | undefined;
  readonly maxConcurrentQueriesPerTransfer?: number | undefined;
  readonly machineTypeId?: string | null | undefined;
}

export interface DestinationInput extends DestinationOptions {
  readonly environment: Environment;
  readonly recipientId: string;
  readonly name: string;
  /** Fingerprint of where the rows physically land. */
  readonly place: string;
  readonly connection: ConnectionInput;
  readonly audit: Audit<DestinationRecord>;
}

export interface DestinationScope {
  readonly environment: Environment;
  /** Of a scoped token. */
  readonly recipientId?: string | undefined;
}

export interface DestinationPatch extends DestinationOptions, DestinationScope {
  readonly id: string;
  readonly connection?: (ConnectionChange & { readonly place: string }) | undefined;
  readonly audit: Audit<DestinationRecord>;
}

const {
  deletedAt: _deletedAt,
  scheduleVersion: _scheduleVersion,
  scheduledVersion: _scheduledVersion,
  ...own
} = getColumns(destinations);
const columns = {
  ...own,
  idInProviderSystem: recipients.idInProviderSystem,
  products: recipients.products,
  settings: connections.settings,
  secretPaths: connections.secretPaths,
};

const isRecipient = eq(recipients.id, destinations.recipientId);
const isConnection = eq(connections.id, destinations.connectionId);

/** @throws Failure `invalid` when there is no such recipient; `conflict` when another's rows land there. */
export async function insertDestination(
  db: Db,
  input: DestinationInput,
): Promise<DestinationRecord> {
  const { environment, recipientId, connection, audit } = input;
  const id = uuidv7();
  return await db.transaction(async (tx) => {
    await checkRecipient(tx, input);
    await checkPlace(tx, input);
    const connectionId = await insertConnection(tx, {
      ...connection,
      environment,
      role: 'destination',
    });
    await tx.insert(destinations).values({
      id,
      environment,
      recipientId,
      vendor: connection.vendor,
      name: input.name,
      connectionId,
      place: input.place,
      enabledModels: [...(input.enabledModels ?? [allModels])],
      frequencyMinutes: input.frequencyMinutes ?? 0,
      scheduleCron: input.schedule?.cron ?? null,
      scheduleTimeZone: input.schedule?.timeZone ?? null,
      isEnabled: input.isEnabled ?? true,
      maxConcurrentTransfers: input.maxConcurrentTransfers ?? 1,
      maxConcurrentQueriesPerTransfer: input.maxConcurrentQueriesPerTransfer ?? 1,
      machineTypeId: input.machineTypeId ?? null,
    });
    const destination = await getDestination(tx, { environment, id });
    await recordAudit(tx, {
      environment,
      eventType: 'DESTINATION_ADD',
      resourceId: id,
      actor: audit.actor,
      object: audit.present(destination),
    });
    return destination;
  });
}

/** @throws Failure `not_found` */
export async function getDestination(
  db: Db,
  input: DestinationScope & { id: string },
): Promise<DestinationRecord> {
  const [destination] = await db
    .select(columns)
    .from(destinations)
    .innerJoin(recipients, isRecipient)
    .innerJoin(connections, isConnection)
    .where(isLive(input));
  if (!destination) throw new Failure('not_found', `There is no destination ${input.id}.`);
  return destination;
}

export async function listDestinations(
  db: Db,
  input: {
    environment: Environment;
    page: PageRequest;
    recipientIds?: readonly string[] | undefined;
    idsInProviderSystem?: readonly string[] | undefined;
    vendors?: readonly string[] | undefined;
    isEnabled?: boolean | undefined;
  },
): Promise<Page<DestinationRecord>> {
  const position = keyset(input.page, { at: destinations.createdAt, id: destinations.id });
  const { recipientIds, idsInProviderSystem: tenants, vendors, isEnabled } = input;
  const rows = await db
    .select({ ...columns, sortValue: position.sortValue })
    .from(destinations)
    .innerJoin(recipients, isRecipient)
    .innerJoin(connections, isConnection)
    .where(
      and(
        eq(destinations.environment, input.environment),
        isNull(destinations.deletedAt),
        recipientIds && inArray(destinations.recipientId, recipientIds.filter(isUuid)),
        tenants && inArray(recipients.idInProviderSystem, [...tenants]),
        vendors && inArray(destinations.vendor, [...vendors]),
        isEnabled === undefined ? undefined : eq(destinations.isEnabled, isEnabled),
        position.after,
      ),
    )
    .orderBy(...position.orderBy)
    .limit(position.limit);
  return pageOf(rows, input.page);
}

/**
 * Disabling it ends the transfers that wait; those that run go on.
 * @throws Failure `not_found`; `conflict` when another's rows land at the new place or the connection was
 * changed meanwhile.
 */
export async function updateDestination(
  db: Db,
  input: DestinationPatch,
): Promise<DestinationRecord> {
  const { environment, id, audit } = input;
  return await db.transaction(async (tx) => {
    const before = await lockDestination(tx, input);
    const set = { ...changesOf(input), ...(await changeConnection(tx, { before, patch: input })) };
    await tx
      .update(destinations)
      .set({ ...set, ...nextScheduleVersion, updatedAt: sql`now()` })
      .where(isLive(input));
    if (input.isEnabled === false) {
      await cancelPending(tx, {
        destinationId: id,
        line: 'Cancelled: the destination was disabled.',
      });
    }
    const destination = await getDestination(tx, input);
    await recordAudit(tx, {
      environment,
      eventType: 'DESTINATION_UPDATE',
      resourceId: id,
      actor: audit.actor,
      object: audit.present(destination),
      previousObject: audit.present(before),
    });
    return destination;
  });
}

/**
 * Soft, until its running work has ended. Ends waiting transfers and marks running ones to be stopped;
 * the caller tells their workflows. What landed stays.
 * @throws Failure `not_found`
 */
export async function deleteDestination(
  db: Db,
  input: DestinationScope & { id: string; audit: Audit<DestinationRecord> },
): Promise<{ cancelledIds: string[]; stoppingIds: string[] }> {
  return await db.transaction(async (tx) => {
    const before = await lockDestination(tx, input);
    const which = { destinationId: input.id, line: 'Cancelled: the destination was deleted.' };
    const cancelledIds = await cancelPending(tx, which);
    const stoppingIds = await requestCancels(tx, which);
    await tx
      .update(destinations)
      .set({ deletedAt: sql`now()`, ...nextScheduleVersion })
      .where(isLive(input));
    await recordAudit(tx, {
      environment: input.environment,
      eventType: 'DESTINATION_DELETE',
      resourceId: input.id,
      actor: input.audit.actor,
      previousObject: input.audit.present(before),
    });
    return { cancelledIds, stoppingIds };
  });
}

/** Share-locked: the recipient can neither be deleted nor get another tenant id until we have committed. */
async function checkRecipient(tx: Db, input: DestinationInput): Promise<void> {
  const isIt = and(
    isUuid(input.recipientId) ? eq(recipients.id, input.recipientId) : sql`false`,
    eq(recipients.environment, input.environment),
    isNull(recipients.deletedAt),
  );
  const [found] = await tx.select({ id: recipients.id }).from(recipients).where(isIt).for('share');
  if (found) return;
  const message = `There is no recipient ${input.recipientId}.`;
  throw new Failure('invalid', message, {
    violations: [{ path: 'destination.recipient_id', code: 'unknown_recipient', message }],
  });
}

/** Two recipients must never write to the same place. The lock makes racing requests wait for each other. */
async function checkPlace(
  tx: Db,
  {
    environment,
    recipientId,
    place,
  }: { environment: Environment; recipientId: string; place: string },
): Promise<void> {
  const name = `waybill place ${environment} ${place}`;
  await tx.execute(/*sql*/ sql`select pg_advisory_xact_lock(hashtextextended(${name}, 0))`);
  const isOthers = and(
    eq(destinations.environment, environment),
    eq(destinations.place, place),
    ne(destinations.recipientId, recipientId),
    isNull(destinations.deletedAt),
  );
  const [other] = await tx
    .select({ name: destinations.name })
    .from(destinations)
    .where(isOthers)
    .limit(1);
  if (!other) return;
  const message =
    'Another recipient has a destination at the same place. Give each recipient a schema or database of its own.';
  throw new Failure('conflict', message, {
    violations: [{ path: 'destination', code: 'place_taken', message }],
  });
}

async function lockDestination(tx: Db, input: DestinationScope & { id: string }) {
  await tx.select({ id: destinations.id }).from(destinations).where(isLive(input)).for('update');
  return await getDestination(tx, input);
}

function changesOf(patch: DestinationPatch) {
  const { name, enabledModels, frequencyMinutes, schedule, isEnabled, machineTypeId } = patch;
  const { maxConcurrentTransfers, maxConcurrentQueriesPerTransfer } = patch;
  return {
    ...(name !== undefined && { name }),
    ...(enabledModels !== undefined && { enabledModels: [...enabledModels] }),
    ...(frequencyMinutes !== undefined && { frequencyMinutes }),
    ...(schedule !== undefined && {
      scheduleCron: schedule?.cron ?? null,
      scheduleTimeZone: schedule?.timeZone ?? null,
    }),
    ...(isEnabled !== undefined && { isEnabled }),
    ...(maxConcurrentTransfers !== undefined && { maxConcurrentTransfers }),
    ...(maxConcurrentQueriesPerTransfer !== undefined && { maxConcurrentQueriesPerTransfer }),
    ...(machineTypeId !== undefined && { machineTypeId }),
  };
}

async function changeConnection(
  tx: Db,
  { before, patch }: { before: DestinationRecord; patch: DestinationPatch },
): Promise<{ connectionId: string; place: string } | undefined> {
  const { connection, environment } = patch;
  if (!connection) return undefined;
  if (connection.basedOn !== before.connectionId) {
    const message = `The connection of destination ${patch.id} was changed by somebody else meanwhile.`;
    throw new Failure('conflict', message);
  }
  const { place } = connection;
  await checkPlace(tx, { environment, recipientId: before.recipientId, place });
  const connectionId = await reviseConnection(tx, {
    ...connection,
    environment,
    role: 'destination',
  });
  return { connectionId, place };
}

function isLive({
  environment,
  recipientId,
  id,
}: DestinationScope & { id: string }): SQL | undefined {
  return and(
    isUuid(id) ? eq(destinations.id, id) : sql`false`,
    eq(destinations.environment, environment),
    recipientId === undefined ? undefined : eq(destinations.recipientId, recipientId),
    isNull(destinations.deletedAt),
  );
}
