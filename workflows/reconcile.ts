import { labelled, steps } from './activity-policies.ts';

/** Every minute: closes the gaps that a crash between a row and its signal leaves. */
export async function reconcile(): Promise<void> {
  await steps.reconcileTransfers.executeWithOptions(labelled('reconcile'), []);
}
