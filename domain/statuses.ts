// Each status exists once: these lists feed the database enums, the API and the pages.

export const environments = ['staging', 'prod'] as const;
export type Environment = (typeof environments)[number];

export const transferStatuses = [
  'PENDING',
  'RUNNING',
  'SUCCESS',
  'PARTIAL_FAILURE',
  'ERROR',
  'CANCELLED',
  'EXPIRED',
  'ORPHANED',
] as const;
export type TransferStatus = (typeof transferStatuses)[number];

export const modelStatuses = ['PENDING', 'RUNNING', 'SUCCESS', 'ERROR', 'CANCELLED'] as const;
export type ModelStatus = (typeof modelStatuses)[number];

export const transferTriggers = ['manual', 'schedule', 'backfill'] as const;
export type TransferTrigger = (typeof transferTriggers)[number];

export const deliveryStatuses = ['PENDING', 'SUCCESS', 'ERROR', 'CANCELLED'] as const;
export type DeliveryStatus = (typeof deliveryStatuses)[number];

export const actorTypes = ['user', 'api_key', 'recipient', 'unknown'] as const;
export type ActorType = (typeof actorTypes)[number];

/** Who did it: for the audit log and the transfer row. */
export interface Actor {
  readonly id: string;
  readonly type: ActorType;
}

/** Whether a transfer has reached a status it can never leave. */
export function isFinal(status: TransferStatus): boolean {
  return status !== 'PENDING' && status !== 'RUNNING';
}

/** What one model of a transfer came to. */
export interface ModelEnd {
  readonly status: ModelStatus;
  /** It is moved in windows, and readers see rows of some although it failed. */
  readonly hasWindows: boolean;
}

/** What the transfer as a whole came to, from what each of its models came to. */
export function outcomeOf(models: readonly ModelEnd[]): TransferStatus {
  const succeeded = models.filter(({ status }) => status === 'SUCCESS').length;
  if (succeeded === models.length) return 'SUCCESS';
  const failed = models.filter(({ status }) => status === 'ERROR');
  if (failed.length === 0) return 'CANCELLED';
  const hasLanded = succeeded > 0 || failed.some(({ hasWindows }) => hasWindows);
  return hasLanded ? 'PARTIAL_FAILURE' : 'ERROR';
}
