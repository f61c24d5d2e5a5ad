// What the API, the workflows and the worker must agree on, as plain values: no Temporal import here.

/** `control` serves workflows and short activities, `data` everything that moves rows. */
export interface TaskQueues {
  readonly control: string;
  readonly data: string;
}

/** The two queues of one installation. Only tests, which share a server, need a prefix. */
export function taskQueuesOf(prefix = ''): TaskQueues {
  return { control: `${prefix}control`, data: `${prefix}data` };
}

/** The data queue beside a control queue; undefined for any other name. */
export function dataQueueOf(controlQueue: string): string | undefined {
  return controlQueue.endsWith('control') ? controlQueue.replace(/control$/, 'data') : undefined;
}

export const workflowIds = {
  destination: (destinationId: string) => `destination/${destinationId}`,
  transfer: (transferId: string) => `transfer/${transferId}`,
  model: (transferId: string, modelId: string) => `transfer/${transferId}/${modelId}`,
  probe: (probeId: string) => `probe/${probeId}`,
  /** Prefix: the server adds the time at which it was due. */
  scheduled: (destinationId: string) => `scheduled/${destinationId}`,
  schedule: (destinationId: string) => `schedule/${destinationId}`,
  /** The events of one object to one webhook. */
  notice: (webhookId: string, resourceId: string) => `notice/${webhookId}/${resourceId}`,
  integrity: (jobId: string) => `integrity/${jobId}`,
  reconcile: 'reconcile',
} as const;

export const messageNames = {
  /** To a destination's queue: look at the rows again. */
  ring: 'ring',
  /** To a transfer, and from it to its models. */
  pause: 'pause',
  resume: 'resume',
  /** For debugging: where a model or transfer stands. */
  progress: 'progress',
} as const;

/** Custom search attributes; `npm run dev` and compose register them in the namespace. */
export const searchAttributes = {
  RecipientId: 'Keyword',
  DestinationId: 'Keyword',
  ModelId: 'Keyword',
  TransferId: 'Keyword',
  TransferTrigger: 'Keyword',
  TransferPhase: 'Keyword',
  WindowEnd: 'Datetime',
  RowsWritten: 'Int',
} as const;
