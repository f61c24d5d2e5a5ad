import { proxyActivities } from '@temporalio/workflow';

const { doNothing } = proxyActivities<{ doNothing(): Promise<void> }>({
  startToCloseTimeout: '30s',
});

/** The least that a durable step can cost: one workflow with one activity. */
export async function bareWorkflow(): Promise<void> {
  await doNothing();
}
