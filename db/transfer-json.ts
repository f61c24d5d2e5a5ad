import { presentError } from '../domain/error-json.ts';
import { exactInstantOut, instantOut, optionalInstantOut } from '../domain/outputs.ts';
import type { TransferModelRecord, TransferRecord } from './transfers.ts';

/** What of a transfer's object is not in its row. */
interface Around {
  readonly publicUrl: string;
  /** By transfer id. */
  readonly logs: ReadonlyMap<string, string>;
}

/** A transfer as the API answers it and as notices tell of it. */
export function presentTransfer(transfer: TransferRecord, { publicUrl, logs }: Around) {
  const { models } = transfer;
  const sourceIds = [...new Set(models.map(({ sourceId }) => sourceId))];
  return {
    id: transfer.id,
    destination_id: transfer.destinationId,
    status: transfer.status,
    trigger: transfer.trigger,
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

function presentMetrics(model: TransferModelRecord, publicUrl: string) {
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
