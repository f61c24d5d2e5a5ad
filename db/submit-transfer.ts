import { and, eq, inArray, isNull, sql } from 'drizzle-orm';
import { Failure, type Violation } from '../domain/failure.ts';
import { compareInstants, type InstantText } from '../domain/instant.ts';
import type { Actor, Environment, TransferTrigger } from '../domain/statuses.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import { isUuid, uuidv7 } from '../lib/uuid.ts';
import { recordAudit } from './audit.ts';
import type { Db } from './database.ts';
import { freeze } from './frozen-model.ts';
import { recordNotice } from './notices.ts';
import { isEnabledModel, listRecipientModels, type RecipientModel } from './recipient-models.ts';
import { destinations, recipients } from './schema.ts';
import { idempotencyKeys, transferModels, transfers } from './transfer-schema.ts';
import { appendLog } from './transfer-log.ts';

/** Which models of which destination are meant. */
export interface DestinationRequest {
  readonly environment: Environment;
  /** The only recipient whose destinations may be meant, for a scoped token. */
  readonly recipientId?: string | undefined;
  readonly destinationId: string;
  /** Names; none or an empty list means all of the destination's. */
  readonly models?: readonly string[] | undefined;
}

export interface TransferRequest extends DestinationRequest {
  readonly trigger: TransferTrigger;
  readonly isFullRefresh?: boolean | undefined;
  readonly isDebugMode?: boolean | undefined;
  /** Inclusive. An RFC 3339 date-time or Postgres' text, up to microseconds. */
  readonly startWindowAt?: InstantText | undefined;
  /** Exclusive. */
  readonly endWindowAt?: InstantText | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  readonly actor: Actor;
  /** Of the call that asks, so that its log leads to the run. */
  readonly requestId?: string | undefined;
  readonly idempotency?: { readonly key: string; readonly bodyHash: string } | undefined;
}

/**
 * `submitted`: it waits now, ring the queue. `duplicate`: stored as CANCELLED, another one that waits does
 * the same. `repeated`: the idempotency key was used before, for this transfer (ring again, it is harmless).
 * `skipped`: nothing was stored, since the scheduled transfer of that id has not ended.
 */
export interface Submission {
  readonly outcome: 'submitted' | 'duplicate' | 'repeated' | 'skipped';
  readonly transferId: string;
}

type Destination = Awaited<ReturnType<typeof lockDestination>>;

/**
 * Stores a transfer with its frozen models, tenant and window, all in one transaction.
 * @throws Failure `not_found`; `invalid` for a window or model that cannot be; `conflict` when the
 * destination is disabled, has no models, or the idempotency key was used with another body.
 */
export async function submitTransfer(db: Db, request: TransferRequest): Promise<Submission> {
  checkWindow({ start: request.startWindowAt, end: request.endWindowAt, of: 'transfer' });
  return await db.transaction(async (tx) => {
    const transferId = uuidv7();
    const earlier = await claimIdempotencyKey(tx, { request, transferId });
    if (earlier !== undefined) return { outcome: 'repeated', transferId: earlier };
    const destination = await lockDestination(tx, request);
    if (request.trigger === 'schedule') {
      const open = await findOpenScheduled(tx, request.destinationId);
      if (open !== undefined) {
        await releaseIdempotencyKey(tx, request);
        return { outcome: 'skipped', transferId: open };
      }
    }
    const models = await resolveModels(tx, { request, destination });
    const twin = await findTwin(tx, { request, destination, models });
    await insertTransfer(tx, { request, destination, models, transferId, twin });
    return { outcome: twin === undefined ? 'submitted' : 'duplicate', transferId };
  });
}

/** @throws Failure `invalid`, in the words of the request, for a window that holds nothing */
export function checkWindow(window: {
  readonly start: InstantText | undefined;
  readonly end: InstantText | undefined;
  readonly of: 'transfer' | 'integrity';
}): void {
  const { start, end, of } = window;
  if (start === undefined || end === undefined || compareInstants(start, end) < 0) return;
  const path = `start_${of}_window_at`;
  const message = `${path} must be before end_${of}_window_at.`;
  throw new Failure('invalid', message, { violations: [{ path, code: 'empty_window', message }] });
}

/** The id of the transfer that the key was used for already, or nothing: then the key is ours now. */
async function claimIdempotencyKey(
  tx: Db,
  { request, transferId }: { request: TransferRequest; transferId: string },
): Promise<string | undefined> {
  const { environment, idempotency } = request;
  if (!idempotency) return undefined;
  // A second request waits here until the first has committed or given up.
  const [claimed] = await tx
    .insert(idempotencyKeys)
    .values({ environment, ...idempotency, transferId })
    .onConflictDoUpdate({
      target: [idempotencyKeys.environment, idempotencyKeys.key],
      set: { bodyHash: idempotency.bodyHash, transferId, createdAt: sql`now()` },
      setWhere: sql`${idempotencyKeys.createdAt} < now() - interval '24 hours'`,
    })
    .returning({ key: idempotencyKeys.key });
  if (claimed) return undefined;
  const isKey = and(
    eq(idempotencyKeys.environment, environment),
    eq(idempotencyKeys.key, idempotency.key),
  );
  const [used] = await tx.select().from(idempotencyKeys).where(isKey);
  if (used?.bodyHash === idempotency.bodyHash) return used.transferId;
  throw new Failure('conflict', 'This Idempotency-Key was used with another body before.');
}

/** Where nothing came of the request, the same key may ask again. */
async function releaseIdempotencyKey(tx: Db, request: TransferRequest): Promise<void> {
  const { environment, idempotency } = request;
  if (!idempotency) return;
  const isKey = and(
    eq(idempotencyKeys.environment, environment),
    eq(idempotencyKeys.key, idempotency.key),
  );
  await tx.delete(idempotencyKeys).where(isKey);
}

/** Locked, so that submissions, deletion and disabling of one destination come one after the other. */
export async function lockDestination(tx: Db, request: DestinationRequest) {
  const { environment, recipientId, destinationId } = request;
  const isIt = and(
    isUuid(destinationId) ? eq(destinations.id, destinationId) : sql`false`,
    eq(destinations.environment, environment),
    recipientId === undefined ? undefined : eq(destinations.recipientId, recipientId),
    isNull(destinations.deletedAt),
  );
  const [destination] = await tx
    .select({
      id: destinations.id,
      name: destinations.name,
      isEnabled: destinations.isEnabled,
      enabledModels: destinations.enabledModels,
      recipientId: recipients.id,
      tenantId: recipients.idInProviderSystem,
      startBoundEpoch: recipients.defaultFullRefreshMinStartTimeEpoch,
    })
    .from(destinations)
    .innerJoin(recipients, eq(recipients.id, destinations.recipientId))
    .where(isIt)
    .for('no key update', { of: destinations });
  if (!destination) throw new Failure('not_found', `There is no destination ${destinationId}.`);
  if (!destination.isEnabled) {
    throw new Failure('conflict', `Destination ${destination.name} is disabled. Enable it first.`);
  }
  return destination;
}

async function findOpenScheduled(tx: Db, destinationId: string): Promise<string | undefined> {
  const isOpen = and(
    eq(transfers.destinationId, destinationId),
    eq(transfers.trigger, 'schedule'),
    inArray(transfers.status, ['PENDING', 'RUNNING']),
  );
  const [open] = await tx.select({ id: transfers.id }).from(transfers).where(isOpen).limit(1);
  return open?.id;
}

export async function resolveModels(
  tx: Db,
  { request, destination }: { request: DestinationRequest; destination: Destination },
): Promise<RecipientModel[]> {
  const { environment, models: asked = [] } = request;
  const all = await listRecipientModels(tx, { environment, recipientId: destination.recipientId });
  const enabled = all.filter(({ name }) => isEnabledModel(destination.enabledModels, name));
  const violations = asked.flatMap((name, index): Violation[] => {
    if (enabled.some((model) => model.name === name)) return [];
    const message = `Model ${name} is not one of the models of destination ${destination.name}.`;
    return [{ path: `models[${index}]`, code: 'unknown_model', message }];
  });
  const [first] = violations;
  if (first) throw new Failure('invalid', first.message, { violations });
  if (enabled.length === 0) {
    const message = `Destination ${destination.name} has no models yet. Publish a model, or enable one for it.`;
    throw new Failure('conflict', message);
  }
  return asked.length === 0 ? enabled : enabled.filter(({ name }) => asked.includes(name));
}

interface Resolved {
  readonly request: TransferRequest;
  readonly destination: Destination;
  readonly models: readonly RecipientModel[];
}

/**
 * A waiting transfer of the same kind that will move the same revisions of all these models: the request
 * asks for nothing that it does not bring.
 */
async function findTwin(
  tx: Db,
  { request, destination, models }: Resolved,
): Promise<string | undefined> {
  const { startWindowAt, endWindowAt, tags = {} } = request;
  const isPlain = startWindowAt === undefined && endWindowAt === undefined;
  if (!isPlain || Object.keys(tags).length > 0) return undefined;
  const rows = await tx
    .select({ id: transfers.id, revisionId: transferModels.revisionId })
    .from(transfers)
    .innerJoin(transferModels, eq(transferModels.transferId, transfers.id))
    .where(
      and(
        eq(transfers.destinationId, destination.id),
        eq(transfers.status, 'PENDING'),
        eq(transfers.isFullRefresh, request.isFullRefresh ?? false),
        eq(transfers.tenantId, destination.tenantId),
        isNull(transfers.startWindowAt),
        isNull(transfers.endWindowAt),
      ),
    )
    .orderBy(transfers.submittedAt);
  for (const [id, frozen] of Map.groupBy(rows, (row) => row.id)) {
    const revisions = new Set(frozen.map(({ revisionId }) => revisionId));
    if (models.every(({ currentRevisionId }) => revisions.has(currentRevisionId))) return id;
  }
  return undefined;
}

async function insertTransfer(
  tx: Db,
  {
    request,
    destination,
    models,
    transferId,
    twin,
  }: Resolved & { transferId: string; twin: string | undefined },
): Promise<void> {
  const isDuplicate = twin !== undefined;
  // After the lock, unlike now(): the order of submission is the order in which they were let in.
  const at = sql`clock_timestamp()`;
  await tx.insert(transfers).values({
    id: transferId,
    environment: request.environment,
    destinationId: destination.id,
    recipientId: destination.recipientId,
    status: isDuplicate ? 'CANCELLED' : 'PENDING',
    trigger: request.trigger,
    isFullRefresh: request.isFullRefresh ?? false,
    isDebugMode: request.isDebugMode ?? false,
    startWindowAt: request.startWindowAt ?? null,
    endWindowAt: request.endWindowAt ?? null,
    tags: { ...request.tags },
    actorId: request.actor.id,
    actorType: request.actor.type,
    requestId: request.requestId ?? null,
    tenantId: destination.tenantId,
    startBoundEpoch: destination.startBoundEpoch,
    submittedAt: at,
    endedAt: isDuplicate ? at : null,
  });
  await tx.insert(transferModels).values(
    freeze(models).map((frozen) => ({
      transferId,
      ...frozen,
      status: isDuplicate ? ('CANCELLED' as const) : ('PENDING' as const),
    })),
  );
  await appendLog(tx, { transferId, line: firstLine({ request, models, twin }) });
  if (isDuplicate) {
    const { environment } = request;
    await recordNotice(tx, { environment, type: 'transfer.cancelled', resourceId: transferId });
  }
  if (request.trigger === 'manual') await recordTrigger(tx, { request, models, transferId });
}

function firstLine(input: {
  request: TransferRequest;
  models: readonly RecipientModel[];
  twin: string | undefined;
}): string {
  const { request, models, twin } = input;
  if (twin !== undefined)
    return `Cancelled as a duplicate: transfer ${twin} waits and moves the same.`;
  const kind = request.isFullRefresh === true ? 'full refresh' : 'transfer';
  const names = models.map(({ name }) => name).join(', ');
  const asked = request.requestId === undefined ? '' : ` Request ${request.requestId}.`;
  return `Submitted (${request.trigger}): ${kind} of ${names}.${asked}`;
}

async function recordTrigger(
  tx: Db,
  input: { request: TransferRequest; models: readonly RecipientModel[]; transferId: string },
): Promise<void> {
  const { request, models, transferId } = input;
  const object: JsonObject = {
    id: transferId,
    destination_id: request.destinationId,
    is_full_refresh: request.isFullRefresh ?? false,
    is_debug_mode: request.isDebugMode ?? false,
    models: models.map(({ name }) => name),
    start_transfer_window_at: request.startWindowAt ?? null,
    end_transfer_window_at: request.endWindowAt ?? null,
    tags: { ...request.tags },
  };
  await recordAudit(tx, {
    environment: request.environment,
    eventType: 'TRANSFER_TRIGGER',
    resourceId: transferId,
    actor: request.actor,
    object,
  });
}
