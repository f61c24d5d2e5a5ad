import { z } from '@hono/zod-openapi';
import type { IntegrityJobRecord, IntegrityModelRecord } from '../db/integrity-jobs.ts';
import { epochSeconds, instantMicros } from '../domain/instant.ts';
import type { InstantText } from '../domain/instant.ts';
import type { Partition } from '../domain/integrity.ts';
import { modelStatuses } from '../domain/statuses.ts';
import { Instant, Name } from './inputs.ts';

export const IntegrityJobInput = z
  .object({
    models: z
      .array(
        z.object({
          model_name: Name,
          sample_primary_key_ids: z.array(z.string().min(1).max(4096)).max(1000).nullish().openapi({
            description: 'Single rows to look at, by their key.',
          }),
        }),
      )
      .max(1000)
      .nullish()
      .openapi({ description: 'None: all of the destination.' }),
    start_integrity_window_at: Instant.nullish().openapi({ description: 'Inclusive.' }),
    end_integrity_window_at: Instant.nullish().openapi({ description: 'Exclusive.' }),
  })
  .openapi('DataIntegrityJobInput');

export const RepairInput = z
  .object({
    remove_orphaned_rows: z.boolean().nullish().openapi({
      description: 'Also removes rows that the source does not have for this tenant.',
    }),
  })
  .openapi('DataIntegrityRepairInput');

const count = z.int().min(0);
const bound = z.int().nullable();

const MismatchedPartition = z.object({
  source_row_count: count,
  destination_row_count: count,
  last_modified_lower_bound_epoch: bound.openapi({ description: 'Inclusive; null: no bound.' }),
  last_modified_upper_bound_epoch: bound.openapi({ description: 'Exclusive; null: no bound.' }),
});

const IntegrityResult = z.object({
  model_name: z.string(),
  is_healthy: z.boolean(),
  error_message: z.string(),
  sampling_rate: z.number(),
  total_rows_compared: count,
  total_rows_stale: count,
  total_rows_pending: count,
  total_rows_missing: count,
  total_rows_incorrect: count,
  total_rows_orphaned: count,
  total_rows_removed: count.openapi({ description: 'Ours: orphaned rows that a repair removed.' }),
  mismatched_partitions: z.array(MismatchedPartition),
});

export const IntegrityJob = z
  .object({
    id: z.uuid(),
    org_schema: z.string(),
    destination_id: z.uuid(),
    status: z.enum(modelStatuses),
    submitted_at: z.string(),
    started_at: z.string().nullable(),
    ended_at: z.string().nullable(),
    model_ids: z.array(z.uuid()),
    model_sample_primary_ids: z.record(z.string(), z.array(z.string())),
    data_integrity_results: z.array(IntegrityResult),
    repairs_job_id: z
      .uuid()
      .nullable()
      .openapi({ description: 'Ours: whose findings it removes.' }),
    log_message: z.string(),
  })
  .openapi('DataIntegrityJob');

export function presentIntegrityJob(job: IntegrityJobRecord): z.infer<typeof IntegrityJob> {
  const { models } = job;
  return {
    id: job.id,
    org_schema: '',
    destination_id: job.destinationId,
    status: job.status,
    submitted_at: job.submittedAt.toISOString(),
    started_at: job.startedAt?.toISOString() ?? null,
    ended_at: job.endedAt?.toISOString() ?? null,
    model_ids: models.map(({ modelId }) => modelId),
    model_sample_primary_ids: Object.fromEntries(
      models
        .filter(({ sampleKeys }) => sampleKeys.length > 0)
        .map(({ modelName, sampleKeys }) => [modelName, sampleKeys]),
    ),
    data_integrity_results: models
      .filter(({ result, error }) => result !== null || error !== null)
      .map(presentResult),
    repairs_job_id: job.repairsJobId,
    log_message: logMessageOf(job),
  };
}

function presentResult({ modelName, result, error }: IntegrityModelRecord) {
  const counts = result?.counts;
  const isWrong = (counts?.missing ?? 0) + (counts?.incorrect ?? 0) > 0;
  return {
    model_name: modelName,
    is_healthy: error === null && !isWrong,
    error_message: error?.message ?? '',
    sampling_rate: result?.samplingRate ?? 0,
    total_rows_compared: result?.rowsCompared ?? 0,
    total_rows_stale: counts?.stale ?? 0,
    total_rows_pending: counts?.pending ?? 0,
    total_rows_missing: counts?.missing ?? 0,
    total_rows_incorrect: counts?.incorrect ?? 0,
    total_rows_orphaned: counts?.orphaned ?? 0,
    total_rows_removed: result?.rowsRemoved ?? 0,
    mismatched_partitions: (result?.partitions ?? []).map(presentPartition),
  };
}

function presentPartition({ window, source, destination }: Partition) {
  return {
    source_row_count: source.rows,
    destination_row_count: destination.rows,
    last_modified_lower_bound_epoch: boundOf(window.after, 'down'),
    last_modified_upper_bound_epoch: boundOf(window.upTo, 'up'),
  };
}

/** In whole seconds, such that the range is no smaller than it was. */
function boundOf(instant: InstantText | undefined, towards: 'down' | 'up'): number | null {
  if (instant === undefined) return null;
  const seconds = epochSeconds(instant);
  const isWhole = instantMicros(instant) === BigInt(seconds) * 1_000_000n;
  return towards === 'down' || isWhole ? seconds : seconds + 1;
}

function logMessageOf({ status, models }: IntegrityJobRecord): string {
  if (status === 'PENDING') return 'Waits for a worker.';
  if (status !== 'RUNNING') return models.map(summaryOf).join(' ');
  const ended = models.filter((model) => model.status === 'SUCCESS' || model.status === 'ERROR');
  const current = models.find((model) => model.status === 'RUNNING');
  const open = current?.comparison?.open.length ?? 0;
  const place =
    current === undefined ? '' : ` In ${current.modelName} ${open} partitions are open.`;
  return `${ended.length} of ${models.length} models compared.${place}`;
}

function summaryOf({ modelName, status, result }: IntegrityModelRecord): string {
  if (result === null) return `${modelName}: ${status}.`;
  const found = Object.entries({ ...result.counts, removed: result.rowsRemoved })
    .filter(([, rows]) => rows > 0)
    .map(([what, rows]) => `${rows} ${what}`);
  return `${modelName}: ${found.length === 0 ? 'equal' : found.join(', ')}.`;
}
