import { ActivityCancellationType, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { ActivityOptions } from '@temporalio/workflow';
import type { Activities } from '../activities/activities.ts';
import { dataQueueOf, taskQueuesOf } from '../domain/temporal-names.ts';

// The one place for timeouts and retries. `startToCloseTimeout` bounds an attempt, `heartbeatTimeout`
// notices a dead worker, `scheduleToCloseTimeout` bounds the step with all its retries. How many
// transient failures a step may have is counted by us (`activities/activity-failure.ts`), because
// Temporal's attempts also count deploys.

const { TRY_CANCEL, WAIT_CANCELLATION_COMPLETED } = ActivityCancellationType;

/** Steps that touch little but our own database. */
const light: ActivityOptions = {
  startToCloseTimeout: '30s',
  scheduleToCloseTimeout: '24h',
  retry: { initialInterval: '1s', maximumInterval: '1m' },
};

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

const probe: ActivityOptions = {
  startToCloseTimeout: '20s',
  scheduleToCloseTimeout: '20s',
  retry: { maximumAttempts: 1 },
};

const lightSteps = proxyActivities<Activities>(light);
const planSteps = proxyActivities<Activities>(plan);
const schemaSteps = proxyActivities<Activities>(schema);
const sliceSteps = proxyActivities<Activities>(slice);
const probeSteps = proxyActivities<Activities>(probe);

/** Each activity under its policy. */
export const steps = {
  chooseTransfers: lightSteps.chooseTransfers,
  openTransfer: lightSteps.openTransfer,
  closeTransfer: lightSteps.closeTransfer,
  reconcileTransfers: lightSteps.reconcileTransfers,
  planModel: planSteps.planModel,
  evolveSchema: schemaSteps.evolveSchema,
  copySlice: sliceSteps.copySlice,
  finishModel: sliceSteps.finishModel,
  checkConnection: probeSteps.checkConnection,
  validateModel: probeSteps.validateModel,
};

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
