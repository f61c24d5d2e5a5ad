import type { Activities } from '../../activities/activities.ts';
import type { ModelRef, SliceResult, StepRef, TransferClose } from '../../domain/steps.ts';

/** One call of an activity, as a test reads it: `copySlice orders 2`. */
export interface FakeSteps {
  readonly activities: Activities;
  /** Calls in the order in which they began. */
  readonly calls: string[];
  /** What `closeTransfer` was told. */
  readonly closes: TransferClose[];
}

/**
 * Activities without effects: a transfer of the named models, each one slice long. A test replaces what it
 * is about; the calls are recorded either way.
 */
export function createFakeSteps(
  models: readonly string[],
  replaced: Partial<Activities> = {},
): FakeSteps {
  const calls: string[] = [];
  const closes: TransferClose[] = [];
  const activities: Activities = {
    chooseTransfers: async () => ({ starts: [], waiting: 0 }),
    openTransfer: async () => ({
      models: models.map((name) => ({ modelId: name, modelName: name })),
      modelsAtOnce: 1,
    }),
    planModel: async () => ({
      mode: 'merge',
      mustEvolve: false,
      windowEnd: undefined,
      summary: 'plan',
    }),
    evolveSchema: async () => undefined,
    copySlice: async () => slice('done', 1),
    finishModel: async () => undefined,
    closeTransfer: async () => undefined,
    openIntegrity: async () => [],
    compareModel: async () => undefined,
    closeIntegrity: async () => undefined,
    checkConnection: async () => undefined,
    validateModel: async () => undefined,
    submitTransfer: async () => undefined,
    deliverWebhook: async () => ({ next: 'idle', waitSeconds: 0 }),
    reconcileTransfers: async () => undefined,
    ...replaced,
  };
  return {
    calls,
    closes,
    activities: recorded(activities, (name, input) => {
      calls.push([name, ...describeInput(input)].join(' '));
      if (name === 'closeTransfer') closes.push(input as TransferClose);
    }),
  };
}

/** What a slice says that moved so many rows. */
export function slice(next: SliceResult['next'], rows: number): SliceResult {
  return { next, rows, bytes: rows * 10, batches: 1, fence: '2026-01-01 00:00:00+00' };
}

function recorded(
  activities: Activities,
  note: (name: string, input: unknown) => void,
): Activities {
  const wrapped = Object.entries(activities).map(([name, run]) => [
    name,
    (input: never) => {
      note(name, input);
      return (run as (input: never) => Promise<unknown>)(input);
    },
  ]);
  return Object.fromEntries(wrapped) as Activities;
}

/** Only what names a model: ids of transfers are random. */
function describeInput(input: unknown): (string | number)[] {
  const { modelId, step } = (input ?? {}) as Partial<ModelRef & StepRef>;
  return [modelId, step].filter((part) => part !== undefined);
}
