import type { ProbeRef } from '../domain/probe.ts';
import { labelled, steps } from './activity-policies.ts';

/** One look at a customer's or vendor's system on behalf of the API, which never opens one itself. */
export async function probe(ref: ProbeRef): Promise<void> {
  const step = ref.kind === 'model' ? steps.validateModel : steps.checkConnection;
  await step.executeWithOptions(labelled(`probe ${ref.kind}`), [ref]);
}
