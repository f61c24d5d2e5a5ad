import { proxyActivities } from '@temporalio/workflow';

interface NoWork {
  nothing(): Promise<void>;
}

const { nothing } = proxyActivities<NoWork>({ startToCloseTimeout: '30s' });

/** What a transfer is measured against: so many activities, one after the other, that do nothing. */
export async function bareWorkflow(activities: number): Promise<void> {
  for (let done = 0; done < activities; done += 1) await nothing();
}
