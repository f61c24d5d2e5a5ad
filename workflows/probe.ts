import { labelled, steps } from './activity-policies.ts';

export interface ProbeInput {
  readonly probeId: string;
  readonly kind: 'connection' | 'model';
}

/** One look at a customer's or vendor's system on behalf of the API, which never opens one itself. */
export async function probe({ probeId, kind }: ProbeInput): Promise<void> {
  const step = kind === 'model' ? steps.validateModel : steps.checkConnection;
  await step.executeWithOptions(labelled(`probe ${kind}`), [{ probeId }]);
}
