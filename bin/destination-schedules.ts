import { randomUUID } from 'node:crypto';
import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type Client,
  type ScheduleOptions,
} from '@temporalio/client';
// From inside the package, whose version is exact: it offers no update that does not ask first.
import {
  compileScheduleOptions,
  encodeScheduleAction,
  encodeSchedulePolicies,
  encodeScheduleSpec,
  encodeScheduleState,
} from '@temporalio/client/lib/schedule-helpers.js';
import { Cron } from 'croner';
import type { ScheduleSpec } from '../domain/schedule.ts';
import { workflowIds, type TaskQueues } from '../domain/temporal-names.ts';

/** Puts the schedule of a destination as it should be, or takes it away. May be repeated. */
export async function putSchedule(
  client: Client,
  wanted: { taskQueues: TaskQueues; destinationId: string; spec: ScheduleSpec | undefined },
): Promise<void> {
  const { taskQueues, destinationId, spec } = wanted;
  const handle = client.schedule.getHandle(workflowIds.schedule(destinationId));
  if (spec === undefined) {
    await handle.delete().catch(ignoreMissing);
    return;
  }
  const options = optionsOf(taskQueues, destinationId, spec);
  try {
    await client.schedule.create(options);
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    await overwrite(client, options);
  }
}

/**
 * Without asking the schedule what it is, as the SDK's own update does: of ten thousand on one server most
 * took 5 s to be woken for the answer (measured), and what we write is all there is to a schedule of ours.
 */
async function overwrite(client: Client, options: ScheduleOptions): Promise<void> {
  const { namespace, identity, loadedDataConverter } = client.options;
  const { scheduleId, spec, action, policies, state } = compileScheduleOptions(options);
  await client.workflowService.updateSchedule({
    namespace,
    identity,
    scheduleId,
    requestId: randomUUID(),
    schedule: {
      spec: encodeScheduleSpec(spec),
      action: await encodeScheduleAction(loadedDataConverter, namespace, action, {}),
      policies: encodeSchedulePolicies(policies),
      state: encodeScheduleState(state),
    },
  });
}

export async function hasSchedule(client: Client, destinationId: string): Promise<boolean> {
  const described = await client.schedule
    .getHandle(workflowIds.schedule(destinationId))
    .describe()
    .catch(ignoreMissing);
  return described !== undefined;
}

function ignoreMissing(error: unknown): undefined {
  if (!(error instanceof ScheduleNotFoundError)) throw error;
}

function optionsOf(
  taskQueues: TaskQueues,
  destinationId: string,
  spec: ScheduleSpec,
): ScheduleOptions {
  return {
    scheduleId: workflowIds.schedule(destinationId),
    spec: specOf(spec),
    action: {
      type: 'startWorkflow',
      workflowType: 'scheduledTransfer',
      workflowId: workflowIds.scheduled(destinationId),
      taskQueue: taskQueues.control,
      args: [{ destinationId }],
      // Under SKIP a run that hangs would swallow all later ones.
      workflowExecutionTimeout: '10 minutes',
      staticSummary: 'submits the scheduled transfer of a destination',
    },
    policies: {
      // A run ends once it has submitted: never two transfers at once is the submission's own rule.
      overlap: ScheduleOverlapPolicy.SKIP,
      // One interval, so that of all that was missed one is made up.
      catchupWindow: intervalMsOf(spec),
      pauseOnFailure: false,
    },
  };
}

function specOf(spec: ScheduleSpec): ScheduleOptions['spec'] {
  if (spec.kind === 'cron') return { cronExpressions: [spec.cron], timezone: spec.timeZone };
  return { intervals: [{ every: spec.everySeconds * 1000, offset: spec.offsetSeconds * 1000 }] };
}

/** Of a cron the time between its next two runs, and never less than a minute. */
function intervalMsOf(spec: ScheduleSpec): number {
  if (spec.kind === 'interval') return spec.everySeconds * 1000;
  const [first, second] = new Cron(spec.cron, { timezone: spec.timeZone }).nextRuns(2);
  const between = (second?.getTime() ?? 0) - (first?.getTime() ?? 0);
  return Math.max(60_000, between);
}
