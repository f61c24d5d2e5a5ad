import {
  Client,
  Connection,
  isGrpcServiceError,
  ServiceError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { Failure } from '../domain/failure.ts';
import type { WorkflowPort, WorkflowState } from '../domain/ports.ts';
import type { ProbeRef } from '../domain/probe.ts';
import { messageNames, workflowIds, type TaskQueues } from '../domain/temporal-names.ts';
import { hasSchedule, putSchedule } from './destination-schedules.ts';
import type {
  deliverNotice,
  destinationQueue,
  integrityJob,
  probe,
} from '../workflows/workflows.ts';

/** A probe's one activity ends within 20 s; without a worker nobody would answer, so we do. */
const probeMs = 20_000;

/** A Temporal that takes a call and says nothing counts as away after so long. */
const callMs = 5000;

/** Of many schedules, one that slept takes 5 s to be woken for its answer (measured). */
const scheduleAnswerMs = 15_000;

export interface TemporalAddress {
  readonly address: string;
  readonly namespace: string;
}

/** A lazy connection: the process starts, and says what is wrong, without Temporal. */
export function connectTemporal({ address, namespace }: TemporalAddress): Client {
  return new Client({ connection: Connection.lazy({ address }), namespace });
}

/** The one place where Temporal's client is spoken to. */
export function createWorkflowPort(client: Client, taskQueues: TaskQueues): WorkflowPort {
  const handle = (id: string) => client.workflow.getHandle(id);
  return {
    async ring(destinationId, transferId) {
      await reach(client, () =>
        client.workflow.signalWithStart<typeof destinationQueue, [transferId: string]>(
          'destinationQueue',
          {
            workflowId: workflowIds.destination(destinationId),
            taskQueue: taskQueues.control,
            args: [{ destinationId }],
            signal: messageNames.ring,
            signalArgs: [transferId],
            staticSummary: 'transfers of one destination, in order',
          },
        ),
      );
    },
    cancelTransfer: (id) => tell(client, () => handle(workflowIds.transfer(id)).cancel()),
    pauseTransfer: (id) =>
      tell(client, () => handle(workflowIds.transfer(id)).signal(messageNames.pause)),
    resumeTransfer: (id) =>
      tell(client, () => handle(workflowIds.transfer(id)).signal(messageNames.resume)),
    startIntegrity: (jobId) => startIntegrity(client, taskQueues, jobId),
    cancelIntegrity: (id) => tell(client, () => handle(workflowIds.integrity(id)).cancel()),
    describeIntegrity: (id) => describe(client, handle(workflowIds.integrity(id))),
    runProbe: (ref) => runProbe(client, taskQueues, ref),
    describeTransfer: (id) => describe(client, handle(workflowIds.transfer(id))),
    async ringNotices({ webhookId, resourceId }) {
      await reach(client, () =>
        client.workflow.signalWithStart<typeof deliverNotice, []>('deliverNotice', {
          workflowId: workflowIds.notice(webhookId, resourceId),
          taskQueue: taskQueues.control,
          args: [{ webhookId, resourceId }],
          signal: messageNames.ring,
          signalArgs: [],
          staticSummary: 'notices of one object to one webhook, in order',
        }),
      );
    },
    putSchedule: (destinationId, spec) =>
      reach(client, () => putSchedule(client, { taskQueues, destinationId, spec })),
    hasSchedule: (id) => reach(client, () => hasSchedule(client, id), scheduleAnswerMs),
    describeQueue: (id) => describe(client, handle(workflowIds.destination(id))),
    async ping() {
      await reach(client, () => client.workflowService.getSystemInfo({}));
    },
  };
}

/** One that was started before, and may have ended since, is left as it is. */
async function startIntegrity(
  client: Client,
  taskQueues: TaskQueues,
  jobId: string,
): Promise<void> {
  try {
    await reach(client, () =>
      client.workflow.start<typeof integrityJob>('integrityJob', {
        workflowId: workflowIds.integrity(jobId),
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        taskQueue: taskQueues.control,
        args: [{ jobId }],
        staticSummary: 'holds a destination against its sources',
      }),
    );
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

async function runProbe(client: Client, taskQueues: TaskQueues, ref: ProbeRef): Promise<void> {
  const running = await reach(client, () =>
    client.workflow.start<typeof probe>('probe', {
      workflowId: workflowIds.probe(ref.probeId),
      taskQueue: taskQueues.control,
      args: [ref],
      workflowExecutionTimeout: probeMs,
      staticSummary: `probe of a ${ref.kind}`,
    }),
  );
  try {
    // Temporal itself ends the workflow at `probeMs`; what comes later is a Temporal that hangs.
    await reach(client, () => running.result(), probeMs + 1000);
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    throw new Failure(
      'unavailable',
      'No worker answered within 20 s. Start a worker and try again.',
    );
  }
}

/** A message to a workflow that has ended, or has not begun, has nobody to reach; the row decides. */
async function tell(client: Client, message: () => Promise<unknown>): Promise<void> {
  try {
    await reach(client, message);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}

async function describe(client: Client, handle: WorkflowHandle): Promise<WorkflowState> {
  try {
    const { status } = await reach(client, () => handle.describe());
    return status.name === 'RUNNING' || status.name === 'PAUSED' ? 'open' : 'closed';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'not_found';
    throw error;
  }
}

/** @throws Failure `unavailable` where Temporal itself does not answer in time; other errors pass. */
async function reach<T>(client: Client, call: () => Promise<T>, ms = callMs): Promise<T> {
  try {
    return await client.withDeadline(Date.now() + ms, call);
  } catch (error) {
    if (isAway(error))
      throw new Failure('unavailable', 'Temporal does not answer.', { cause: error });
    throw error;
  }
}

/** gRPC: DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED (a workflow that is just closing), UNAVAILABLE. */
const awayCodes = new Set<number>([4, 8, 14]);

function isAway(error: unknown): boolean {
  const cause = error instanceof ServiceError ? error.cause : error;
  return isGrpcServiceError(cause) && awayCodes.has(cause.code);
}
