import { z } from '@hono/zod-openapi';
import {
  actorTypes,
  modelStatuses,
  transferStatuses,
  transferTriggers,
} from '../domain/statuses.ts';
import { ErrorOrNull, ModelErrorOrNull } from './error-object.ts';

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
    trigger: z.enum(transferTriggers),
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
