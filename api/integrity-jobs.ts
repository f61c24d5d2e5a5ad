import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { getDestination } from '../db/destinations.ts';
import {
  cancelIntegrityJob,
  getIntegrityJob,
  listIntegrityJobs,
  submitIntegrityJob,
  submitRemoval,
  type IntegrityJobRecord,
} from '../db/integrity-jobs.ts';
import { submitTransfer } from '../db/submit-transfer.ts';
import { Failure } from '../domain/failure.ts';
import { repairWindows } from '../domain/integrity.ts';
import type { AppEnv } from './deps.ts';
import { envelopeOf, pageOf, singleOf, success } from './envelope.ts';
import { PathId } from './inputs.ts';
import {
  IntegrityJob,
  IntegrityJobInput,
  presentIntegrityJob,
  RepairInput,
} from './integrity-object.ts';
import { PageQuery, pageAnswer, pageRequestOf } from './paging.ts';
import { ring } from './ring.ts';
import { createRouter } from './router.ts';
import { answers, body, withKey } from './routes.ts';

const ofDestination = z.object({ destination_id: PathId });
const ofJob = ofDestination.extend({ job_id: PathId });
const single = singleOf('job', IntegrityJob);
const tags = ['Data integrity'];

/** A repair reads so many windows of one model at most; those that lie closest are joined. */
const windowsMax = 16;

export const integrityJobs = createRouter()
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/destinations/{destination_id}/data-integrity',
      tags,
      summary: 'Hold a destination against its sources',
      description: 'Every column of every row is compared, by hashes that both servers reckon.',
      request: { params: ofDestination, body: body(IntegrityJobInput, {}) },
      responses: answers(single, 400, 401, 404, 409),
    }),
    async (c) => {
      const { destination_id: destinationId } = c.req.valid('param');
      const input = c.req.valid('json');
      const { environment, actor, deps } = c.var;
      const id = await submitIntegrityJob(deps.db, {
        environment,
        destinationId,
        models: new Map(
          (input.models ?? []).map((model) => [
            model.model_name,
            model.sample_primary_key_ids ?? [],
          ]),
        ),
        startWindowAt: input.start_integrity_window_at ?? undefined,
        endWindowAt: input.end_integrity_window_at ?? undefined,
        actor,
      });
      await startJob(c, id);
      const job = await getIntegrityJob(deps.db, { environment, destinationId, id });
      return c.json(success({ job: presentIntegrityJob(job) }, 'Data integrity job started'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/destinations/{destination_id}/data-integrity',
      tags,
      summary: 'List the data integrity jobs of a destination',
      request: { params: ofDestination, query: PageQuery },
      responses: answers(pageOf('jobs', IntegrityJob), 400, 401, 404),
    }),
    async (c) => {
      const { destination_id: destinationId } = c.req.valid('param');
      const { environment, deps } = c.var;
      await getDestination(deps.db, { environment, id: destinationId });
      const page = await listIntegrityJobs(deps.db, {
        environment,
        destinationId,
        page: pageRequestOf(c.req.valid('query')),
      });
      return c.json(pageAnswer(c, { key: 'jobs', page, present: presentIntegrityJob }), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/destinations/{destination_id}/data-integrity/{job_id}',
      tags,
      summary: 'Read a data integrity job',
      request: { params: ofJob },
      responses: answers(single, 401, 404),
    }),
    async (c) => {
      const { environment, deps } = c.var;
      const job = await getIntegrityJob(deps.db, { environment, ...which(c.req.valid('param')) });
      return c.json(success({ job: presentIntegrityJob(job) }, 'Data integrity job'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/destinations/{destination_id}/data-integrity/{job_id}/cancel',
      tags,
      summary: 'Cancel a data integrity job',
      request: { params: ofJob },
      responses: answers(single, 401, 404, 409, 503),
    }),
    async (c) => {
      const { environment, deps } = c.var;
      const job = await cancelIntegrityJob(deps.db, {
        environment,
        ...which(c.req.valid('param')),
      });
      // Also one that never opened: its workflow, should it be about to begin, then finds nothing to do.
      await deps.workflows.cancelIntegrity(job.id);
      return c.json(success({ job: presentIntegrityJob(job) }, 'Asked to stop'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/destinations/{destination_id}/data-integrity/{job_id}/repair',
      tags,
      summary: 'Repair what a data integrity job found',
      description:
        'Submits transfers of the windows in which source and destination differ: rows that are equal are not written. ' +
        'Orphaned rows are removed by a job of their own, where asked.',
      request: { params: ofJob, body: body(RepairInput, { remove_orphaned_rows: false }) },
      responses: answers(
        envelopeOf(
          z.object({ transfer_ids: z.array(z.uuid()), removal_job_id: z.uuid().nullable() }),
        ),
        400,
        401,
        404,
        409,
      ),
    }),
    async (c) => {
      const { environment, actor, deps } = c.var;
      const job = await getIntegrityJob(deps.db, { environment, ...which(c.req.valid('param')) });
      if (job.endedAt === null) {
        throw new Failure('conflict', 'The data integrity job has not ended yet.');
      }
      const transferIds = await submitRepairs(c, job);
      const removes = c.req.valid('json').remove_orphaned_rows === true;
      const removal = removes ? await submitRemoval(deps.db, job, actor) : undefined;
      if (removal !== undefined) await startJob(c, removal);
      const isNothing = transferIds.length === 0 && removal === undefined;
      const answer = { transfer_ids: transferIds, removal_job_id: removal ?? null };
      return c.json(success(answer, isNothing ? 'Nothing to repair' : 'Repair started'), 200);
    },
  );

function which({ destination_id: destinationId, job_id: id }: z.infer<typeof ofJob>) {
  return { destinationId, id };
}

/** The row is there: where Temporal is away now, `reconcile` starts the job within a minute. */
async function startJob(c: Context<AppEnv>, id: string): Promise<void> {
  const { workflows, log } = c.var.deps;
  await workflows.startIntegrity(id).catch((error: unknown) => {
    if (!(error instanceof Failure) || error.kind !== 'unavailable') throw error;
    log.warn({ jobId: id }, 'a data integrity job could not be started yet');
  });
}

async function submitRepairs(c: Context<AppEnv>, job: IntegrityJobRecord): Promise<string[]> {
  const { environment, actor, deps, requestId } = c.var;
  const { destinationId } = job;
  const ids: string[] = [];
  for (const { modelName, result } of job.models) {
    for (const { after, upTo } of repairWindows(result?.partitions ?? [], windowsMax)) {
      const { transferId } = await submitTransfer(deps.db, {
        ...{ environment, destinationId, actor, requestId },
        trigger: 'manual',
        models: [modelName],
        startWindowAt: after,
        endWindowAt: upTo,
      });
      await ring(c, { destinationId, transferId });
      ids.push(transferId);
    }
  }
  return ids;
}
