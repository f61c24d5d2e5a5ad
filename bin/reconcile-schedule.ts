import {
  ScheduleAlreadyRunning,
  ScheduleOverlapPolicy,
  type Client,
  type ScheduleOptions,
} from '@temporalio/client';
import { isDeepStrictEqual } from 'node:util';
import { workflowIds, type TaskQueues } from '../domain/temporal-names.ts';

const everyMs = 60_000;

/**
 * Puts the schedule of `reconcile` if it is missing or differs. An edit is a signal inside the server, so
 * one that is as it should be is not written again.
 */
export async function ensureReconcileSchedule(
  client: Client,
  taskQueues: TaskQueues,
): Promise<void> {
  const wanted = scheduleOf(taskQueues);
  try {
    await client.schedule.create(wanted);
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    const handle = client.schedule.getHandle(wanted.scheduleId);
    const { spec, action, policies } = await handle.describe();
    const isSame =
      isDeepStrictEqual(spec.intervals?.[0]?.every, everyMs) &&
      action.taskQueue === taskQueues.control &&
      policies.overlap === ScheduleOverlapPolicy.SKIP;
    if (!isSame) await handle.update((current) => ({ ...current, ...wanted }));
  }
}

function scheduleOf(taskQueues: TaskQueues): ScheduleOptions {
  return {
    scheduleId: workflowIds.reconcile,
    spec: { intervals: [{ every: everyMs }] },
    action: {
      type: 'startWorkflow',
      workflowType: 'reconcile',
      workflowId: workflowIds.reconcile,
      taskQueue: taskQueues.control,
      workflowExecutionTimeout: '10 minutes',
      staticSummary: 'closes gaps between rows and workflows',
    },
    policies: {
      overlap: ScheduleOverlapPolicy.SKIP,
      catchupWindow: everyMs,
      pauseOnFailure: false,
    },
  };
}
