import type { Fence, LoadRecord, Window } from '../../domain/load.ts';
import type { PlanRequest } from '../../domain/plan.ts';

/** The hour of one day: enough to tell instants apart. */
export function at(hour: number, second = 0): string {
  const digits = (value: number) => String(value).padStart(2, '0');
  return `2026-03-10 ${digits(hour)}:00:${digits(second)}.000000+00`;
}

export const everything: Window = { after: undefined, upTo: undefined };

export const fence: Fence = {
  at: at(11),
  now: at(12),
  guarantee: 'commit_safe',
  reason: undefined,
  grant: undefined,
  holder: undefined,
  position: undefined,
};

/** A first load. */
export const fresh: PlanRequest = {
  transferId: 'transfer-2',
  revisionId: 'revision-1',
  loadIdentity: 'this copy',
  owner: 'prod/destination-1',
  tableName: 'orders',
  isFullRefresh: false,
  isBackfill: false,
  isOutdated: false,
  explicitWindow: everything,
  startBoundEpochSeconds: undefined,
  lookbackSeconds: 30,
  fence,
  record: undefined,
  tableExists: false,
  ownerIsGone: false,
};

/** What the destination remembers once it has finished. */
export const finished: LoadRecord = {
  owner: fresh.owner,
  loadIdentity: fresh.loadIdentity,
  table: fresh.tableName,
  epoch: { startedAtMicros: 1, step: 1, attempt: 1 },
  watermark: at(10),
  greatest: at(10),
  fence: at(10),
  appliedTable: undefined,
  unfinished: undefined,
};
