import { endIntegrityJob, listOpenIntegrityJobs, openIntegrityJob } from '../db/integrity-runs.ts';
import type { IntegrityClose } from '../domain/steps.ts';
import type { StepDeps } from './deps.ts';
import { notedError } from './noted-error.ts';

/** PENDING becomes RUNNING once; asked again it gives the same models. None: it was cancelled meanwhile. */
export async function openIntegrity({ db }: StepDeps, jobId: string): Promise<string[]> {
  return await openIntegrityJob(db, jobId);
}

/** The final status is written only over one that is open, so a second run changes nothing. */
export async function closeIntegrity({ db }: StepDeps, close: IntegrityClose): Promise<void> {
  const { jobId, failures, isCancelled } = close;
  const errors = new Map(Object.entries(failures).map(([id, note]) => [id, notedError(note)]));
  await endIntegrityJob(db, { jobId, errors, isCancelled });
}

/** A healthy hand-over takes less. */
const handOverSeconds = 30;

/**
 * Starts jobs whose workflow never began, tells again those that are to stop, and ends those whose workflow
 * is gone. Harmless when repeated.
 */
export async function reconcileIntegrity({ db, workflows, log }: StepDeps): Promise<void> {
  for (const job of await listOpenIntegrityJobs(db, handOverSeconds)) {
    const { id, isRunning, isCancelRequested } = job;
    if ((await workflows.describeIntegrity(id)) === 'open') {
      if (isCancelRequested) await workflows.cancelIntegrity(id);
      continue;
    }
    if (!isRunning) await workflows.startIntegrity(id);
    else await endIntegrityJob(db, { jobId: id, errors: new Map(), isCancelled: true });
    log.warn({ jobId: id, isRunning }, 'a data integrity job without a workflow');
  }
}
