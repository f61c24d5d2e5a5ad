import {
  ActivityCancellationType,
  proxyActivities,
  proxyLocalActivities,
  workflowInfo,
} from '@temporalio/workflow';
import type { ActivityOptions, LocalActivityOptions } from '@temporalio/workflow';
import type { Activities } from '../activities/activities.ts';
import { dataQueueOf, taskQueuesOf } from '../domain/temporal-names.ts';

// The one place for timeouts and retries. `startToCloseTimeout` bounds an attempt, `heartbeatTimeout`
// notices a dead worker, `scheduleToCloseTimeout` bounds the step with all its retries. How many
// transient failures a step may have is counted by us (`activities/activity-failure.ts`), because
// Temporal's attempts also count deploys.

const { TRY_CANCEL, WAIT_CANCELLATION_COMPLETED } = ActivityCancellationType;

/** Steps that touch little but our own database. */
const light = {
  startToCloseTimeout: '30s',
  scheduleToCloseTimeout: '24h',
  retry: { initialInterval: '1s', maximumInterval: '1m' },
} satisfies ActivityOptions;

/**
 * The same for steps of every transfer that take some milliseconds. They run inside the workflow's task:
 * measured, a task queue costs 40 to 60 ms more. Waits between tries are the server's from here on.
 */
const lightInTask: LocalActivityOptions = { ...light, localRetryThreshold: '5s' };

/** Asks Temporal about hundreds of transfers, one after another. */
const reconcile: ActivityOptions = { ...light, startToCloseTimeout: '5m' };

const plan: ActivityOptions = {
  startToCloseTimeout: '2m',
  heartbeatTimeout: '30s',
  scheduleToCloseTimeout: '1h',
  cancellationType: TRY_CANCEL,
  retry: { initialInterval: '2s', maximumInterval: '1m' },
};

const schema: ActivityOptions = {
  startToCloseTimeout: '30m',
  heartbeatTimeout: '30s',
  scheduleToCloseTimeout: '6h',
  cancellationType: WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '5s', maximumInterval: '5m' },
};

const slice: ActivityOptions = {
  startToCloseTimeout: '6h',
  // Six missed beats: a killed worker's load goes on elsewhere after that.
  heartbeatTimeout: '20s',
  scheduleToCloseTimeout: '24h',
  cancellationType: WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '2s', maximumInterval: '5m' },
};

/** Hashes two tables whole: as patient as a slice, and not to be tried for a whole day. */
const compare: ActivityOptions = {
  ...slice,
  scheduleToCloseTimeout: '8h',
  retry: { ...slice.retry, maximumAttempts: 10 },
};

const probe: ActivityOptions = {
  startToCloseTimeout: '20s',
  scheduleToCloseTimeout: '20s',
  retry: { maximumAttempts: 1 },
};

const lightSteps = proxyActivities<Activities>(light);
const reconcileSteps = proxyActivities<Activities>(reconcile);
const inTaskSteps = proxyLocalActivities<Activities>(lightInTask);
const planSteps = proxyActivities<Activities>(plan);
const schemaSteps = proxyActivities<Activities>(schema);
const compareSteps = proxyActivities<Activities>(compare);
const sliceSteps = proxyActivities<Activities>(slice);
const probeSteps = proxyActivities<Activities>(probe);

/** Each activity under its policy. */
export const steps = {
  chooseTransfers: inTaskSteps.chooseTransfers,
  openTransfer: inTaskSteps.openTransfer,
  closeTransfer: inTaskSteps.closeTransfer,
  submitTransfer: lightSteps.submitTransfer,
  deliverWebhook: lightSteps.deliverWebhook,
  reconcileTransfers: reconcileSteps.reconcileTransfers,
  planModel: planSteps.planModel,
  evolveSchema: schemaSteps.evolveSchema,
  openIntegrity: lightSteps.openIntegrity,
  closeIntegrity: lightSteps.closeIntegrity,
  compareModel: compareSteps.compareModel,
  copySlice: sliceSteps.copySlice,
  finishModel: sliceSteps.finishModel,
  checkConnection: probeSteps.checkConnection,
  validateModel: probeSteps.validateModel,
};

/** Labels an activity that runs inside the workflow's task. */
export function labelledInTask(label: string): LocalActivityOptions {
  return { summary: label };
}

/** Labels an activity in the Temporal UI; its id lets an operator aim at it. */
export function labelled(label: string): ActivityOptions {
  return { summary: label, activityId: label.replaceAll(' ', '-') };
}

/**
 * The same, for a step that moves rows: it runs on the data queue beside this workflow's own. A replay
 * runs on no queue of ours, and does not look at it.
 */
export function labelledData(label: string): ActivityOptions {
  const taskQueue = dataQueueOf(workflowInfo().taskQueue) ?? taskQueuesOf().data;
  return { ...labelled(label), taskQueue };
}
