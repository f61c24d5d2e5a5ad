/** What the choice needs to know of a transfer that waits or runs. */
export interface QueuedTransfer {
  readonly id: string;
  readonly submittedAt: Date;
  readonly modelIds: readonly string[];
  /** It makes way for all others. */
  readonly isBackfill: boolean;
}

export interface QueueState {
  readonly waiting: readonly QueuedTransfer[];
  readonly running: readonly QueuedTransfer[];
  /** `max_concurrent_transfers` of the destination. */
  readonly concurrencyMax: number;
}

/**
 * The waiting transfers that may start now: oldest first, backfills last, never two that share a model, at
 * most so many at once. A transfer that must wait also holds back later ones that share a model with it, or
 * a small one could overtake a full refresh for ever.
 */
export function chooseStarts({ waiting, running, concurrencyMax }: QueueState): string[] {
  const taken = new Set(running.flatMap(({ modelIds }) => modelIds));
  const starts: string[] = [];
  const oldestFirst = [...waiting].sort(
    (a, b) =>
      Number(a.isBackfill) - Number(b.isBackfill) ||
      a.submittedAt.getTime() - b.submittedAt.getTime() ||
      a.id.localeCompare(b.id),
  );
  for (const transfer of oldestFirst) {
    const isFree = transfer.modelIds.every((id) => !taken.has(id));
    if (isFree && running.length + starts.length < concurrencyMax) starts.push(transfer.id);
    for (const id of transfer.modelIds) taken.add(id);
  }
  return starts;
}
