import { and, asc, eq, isNull, lt, sql } from 'drizzle-orm';
import type { ErrorCode } from '../domain/failure.ts';
import type { Environment } from '../domain/statuses.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import type { Sealer } from '../lib/seal.ts';
import { uuidv7 } from '../lib/uuid.ts';
import type { Db } from './database.ts';
import { insertNotice } from './notices.ts';
import type { ProbeRecord } from './probes.ts';
import { sensitiveTraces, webhooks } from './notice-schema.ts';
import { transferModels, transfers } from './transfer-schema.ts';

/** A delivery is tried for a day; what is older nobody waits for. */
const keptHours = 48;
const tracesMax = 100;
/** Drivers quote whole rows at times. */
const traceCharsMax = 20_000;

/**
 * Keeps what a driver said, sealed, where the environment has an endpoint for such: it may quote rows, and is
 * shown nowhere else. Without an endpoint nothing is kept.
 */
export async function keepTrace(
  db: Db,
  sealer: Sealer,
  input: { transferId: string; modelId: string; code: ErrorCode; trace: string },
): Promise<void> {
  const { transferId, modelId, code } = input;
  const [transfer] = await db
    .select({ environment: transfers.environment })
    .from(transfers)
    .where(eq(transfers.id, transferId));
  if (transfer === undefined) return;
  const { environment } = transfer;
  if ((await listEndpointIds(db, environment)).length === 0) return;
  await insertTrace(db, sealer, { environment, transferId, modelId, code, trace: input.trace });
}

/**
 * The same for a connection test, with one notice to each endpoint. Belongs into the transaction of the
 * test's first result.
 */
export async function recordTestTrace(
  db: Db,
  sealer: Sealer,
  { probe, code, trace }: { probe: ProbeRecord; code: ErrorCode; trace: string },
): Promise<void> {
  const { id: probeId, environment, kind, input } = probe;
  const webhookIds = await listEndpointIds(db, environment);
  if (webhookIds.length === 0) return;
  await insertTrace(db, sealer, { environment, probeId, code, trace });
  const testedId = input['tested_id'] ?? '';
  const data = {
    transfer_id: '',
    destination_id: kind === 'destination' ? testedId : '',
    source_id: kind === 'source' ? testedId : '',
  };
  const type = 'sensitive_trace' as const;
  await insertNotice(db, { environment, type, resourceId: probeId, data, webhookIds });
}

async function insertTrace(
  db: Db,
  sealer: Sealer,
  input: Omit<typeof sensitiveTraces.$inferInsert, 'id' | 'createdAt'>,
): Promise<void> {
  const id = uuidv7();
  const trace = sealer.seal(input.trace.slice(0, traceCharsMax), contextOf(id));
  await db.insert(sensitiveTraces).values({ ...input, id, trace });
}

/** One notice to each endpoint, where the transfer left traces. Belongs into the transaction of its end. */
export async function recordTraces(
  db: Db,
  { environment, transferId }: { environment: Environment; transferId: string },
): Promise<void> {
  const [any] = await db
    .select({ id: sensitiveTraces.id })
    .from(sensitiveTraces)
    .where(eq(sensitiveTraces.transferId, transferId))
    .limit(1);
  if (any === undefined) return;
  const webhookIds = await listEndpointIds(db, environment);
  const type = 'sensitive_trace' as const;
  await insertNotice(db, { environment, type, resourceId: transferId, webhookIds });
}

/** All that drivers said during the transfer, for one sending. */
export async function describeTraces(
  db: Db,
  sealer: Sealer,
  transferId: string,
): Promise<JsonObject> {
  const [transfer] = await db
    .select({ destinationId: transfers.destinationId })
    .from(transfers)
    .where(eq(transfers.id, transferId));
  const rows = await db
    .select({
      id: sensitiveTraces.id,
      code: sensitiveTraces.code,
      trace: sensitiveTraces.trace,
      modelName: transferModels.modelName,
      sourceId: transferModels.sourceId,
    })
    .from(sensitiveTraces)
    .innerJoin(
      transferModels,
      and(
        eq(transferModels.transferId, sensitiveTraces.transferId),
        eq(transferModels.modelId, sensitiveTraces.modelId),
      ),
    )
    .where(eq(sensitiveTraces.transferId, transferId))
    .orderBy(asc(sensitiveTraces.id))
    .limit(tracesMax);
  return {
    transfer_id: transferId,
    destination_id: transfer?.destinationId ?? '',
    source_id: rows[0]?.sourceId ?? '',
    traces: rows.map(({ id, code, trace, modelName }) => ({
      model_name: modelName,
      error_code: `WBL-${code}`,
      trace: sealer.open(trace, contextOf(id)),
    })),
  };
}

/** What the driver said during a connection test. */
export async function describeTestTraces(
  db: Db,
  sealer: Sealer,
  probeId: string,
): Promise<JsonObject[]> {
  const rows = await db
    .select()
    .from(sensitiveTraces)
    .where(eq(sensitiveTraces.probeId, probeId))
    .limit(tracesMax);
  return rows.map(({ id, code, trace }) => ({
    model_name: '',
    error_code: `WBL-${code}`,
    trace: sealer.open(trace, contextOf(id)),
  }));
}

export async function purgeTraces(db: Db): Promise<void> {
  const isOld = lt(sensitiveTraces.createdAt, sql`now() - make_interval(hours => ${keptHours})`);
  await db.delete(sensitiveTraces).where(isOld);
}

async function listEndpointIds(db: Db, environment: Environment): Promise<string[]> {
  const rows = await db
    .select({ id: webhooks.id })
    .from(webhooks)
    .where(
      and(
        eq(webhooks.environment, environment),
        eq(webhooks.kind, 'trace'),
        eq(webhooks.isEnabled, true),
        isNull(webhooks.deletedAt),
      ),
    );
  return rows.map(({ id }) => id);
}

/** Where a trace opens. */
export function contextOf(id: string): string {
  return `sensitive_traces/${id}/trace`;
}
