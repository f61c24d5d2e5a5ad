import { z } from '@hono/zod-openapi';
import type { TransferModelRecord, TransferRecord } from '../db/transfers.ts';
import { actorTypes, modelStatuses, transferStatuses } from '../domain/statuses.ts';
import { ErrorOrNull, ModelErrorOrNull, presentError } from './error-object.ts';
import { exactInstantOut, instantOut, optionalInstantOut } from './outputs.ts';

const instant = z.iso.datetime();

const ModelMetrics = z
  .object({
    model_id: z.uuid(),
    model_name: z.string(),
    status: z.enum(modelStatuses),
    rows_transferred: z.int(),
    delta_rows_transferred: z.int(),
    volume_transferred_in_mb: z.number(),
    start_transfer_window_at: instant.nullable(),
    end_transfer_window_at: instant.nullable(),
    most_recent_last_updated_at: instant.nullable(),
    error: ModelErrorOrNull,
  })
  .openapi('ModelMetrics');

export const Transfer = z
  .object({
    id: z.uuid(),
    destination_id: z.uuid(),
    status: z.enum(transferStatuses),
    is_full_refresh: z.boolean(),
    is_debug_mode: z.boolean(),
    is_paused: z.boolean(),
    models: z.array(z.string()),
    models_snapshot: z.array(
      z.object({ model_id: z.uuid(), model_name: z.string(), revision_id: z.uuid() }),
    ),
    source_ids: z.array(z.uuid()),
    source_id: z.uuid().nullable(),
    log: z.string().openapi({ description: 'One line per event, no row data.' }),
    submitted_at: instant,
    started_at: instant.nullable(),
    ended_at: instant.nullable(),
    start_transfer_window_at: instant.nullable(),
    end_transfer_window_at: instant.nullable(),
    rows_transferred: z.int(),
    delta_rows_transferred: z.int(),
    volume_transferred_in_mb: z.number(),
    actor_id: z.string(),
    actor_type: z.enum(actorTypes),
    tags: z.record(z.string(), z.string()),
    model_metrics: z.array(ModelMetrics),
    error: ErrorOrNull,
  })
  .openapi('Transfer');
export type Transfer = z.infer<typeof Transfer>;

/** What of a transfer's object is not in its row. */
interface Around {
  readonly publicUrl: string;
  /** By transfer id. */
  readonly logs: ReadonlyMap<string, string>;
}

/** The object of the API. */
export function presentTransfer(transfer: TransferRecord, { publicUrl, logs }: Around): Transfer {
  const { models } = transfer;
  const sourceIds = [...new Set(models.map(({ sourceId }) => sourceId))];
  return {
    id: transfer.id,
    destination_id: transfer.destinationId,
    status: transfer.status,
    is_full_refresh: transfer.isFullRefresh,
    is_debug_mode: transfer.isDebugMode,
    is_paused: transfer.isPaused,
    models: models.map(({ modelName }) => modelName),
    models_snapshot: models.map(presentSnapshot),
    source_ids: sourceIds,
    source_id: sourceIds[0] ?? null,
    log: logs.get(transfer.id) ?? '',
    submitted_at: instantOut(transfer.submittedAt),
    started_at: optionalInstantOut(transfer.startedAt),
    ended_at: optionalInstantOut(transfer.endedAt),
    start_transfer_window_at: exactInstantOut(transfer.startWindowAt),
    end_transfer_window_at: exactInstantOut(transfer.endWindowAt),
    rows_transferred: sum(models, ({ rows }) => rows),
    delta_rows_transferred: sum(models, ({ deltaRows }) => deltaRows),
    volume_transferred_in_mb: megabytes(sum(models, ({ bytes }) => bytes)),
    actor_id: transfer.actorId,
    actor_type: transfer.actorType,
    tags: transfer.tags,
    model_metrics: models.map((model) => presentMetrics(model, publicUrl)),
    error: transfer.error && presentError(transfer.error, publicUrl),
  };
}

function presentSnapshot({ modelId, modelName, revisionId }: TransferModelRecord) {
  return { model_id: modelId, model_name: modelName, revision_id: revisionId };
}

function presentMetrics(
  model: TransferModelRecord,
  publicUrl: string,
): z.infer<typeof ModelMetrics> {
  const { error } = model;
  return {
    model_id: model.modelId,
    model_name: model.modelName,
    status: model.status,
    rows_transferred: model.rows,
    delta_rows_transferred: model.deltaRows,
    volume_transferred_in_mb: megabytes(model.bytes),
    start_transfer_window_at: exactInstantOut(model.windowAfter),
    end_transfer_window_at: exactInstantOut(model.windowUpTo),
    most_recent_last_updated_at: exactInstantOut(model.mostRecentAt),
    error: error && { ...presentError(error, publicUrl), error: error.title },
  };
}

function sum(
  models: readonly TransferModelRecord[],
  of: (model: TransferModelRecord) => number,
): number {
  return models.reduce((total, model) => total + of(model), 0);
}

function megabytes(bytes: number): number {
  return bytes / 1_000_000;
}
