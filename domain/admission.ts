/** A transfer that waits for a slot of its environment, or has one. */
export interface Contender {
  readonly id: string;
  readonly recipientId: string;
  readonly submittedAt: Date;
  readonly sourceIds: readonly string[];
  /** It has its turn when nobody else can take it. */
  readonly isBackfill: boolean;
}

/** What limits how many transfers run at once. */
export interface Slots {
  readonly environmentMax: number;
  /** Of sources that have a cap of their own. */
  readonly sourceMax: ReadonlyMap<string, number>;
  /** Those that run, or may start already. */
  readonly taken: readonly Contender[];
  /** When each recipient was given its last slot. */
  readonly lastServedAt: ReadonlyMap<string, Date>;
}

/**
 * Who may start now, in order. Recipients take turns: the one with the fewest slots goes first, then the one
 * that has waited longest for its last, then the transfer that was submitted first. So a recipient with a
 * hundred transfers holds back nobody, and nobody waits for ever.
 */
export function admit(waiting: readonly Contender[], slots: Slots): string[] {
  const { environmentMax, sourceMax, taken, lastServedAt } = slots;
  const ofRecipient = countBy(taken, ({ recipientId }) => [recipientId]);
  const ofSource = countBy(taken, ({ sourceIds }) => sourceIds);
  const hasRoom = (id: string) => (ofSource.get(id) ?? 0) < (sourceMax.get(id) ?? Infinity);
  const served = ({ recipientId }: Contender) => lastServedAt.get(recipientId)?.getTime() ?? 0;
  const held = ({ recipientId }: Contender) => ofRecipient.get(recipientId) ?? 0;
  const admitted: string[] = [];
  let left = [...waiting].toSorted(
    (a, b) =>
      Number(a.isBackfill) - Number(b.isBackfill) ||
      served(a) - served(b) ||
      a.submittedAt.getTime() - b.submittedAt.getTime() ||
      a.id.localeCompare(b.id),
  );
  while (taken.length + admitted.length < environmentMax) {
    const open = left.filter(({ sourceIds }) => sourceIds.every(hasRoom));
    const others = open.filter(({ isBackfill }) => !isBackfill);
    const possible = others.length > 0 ? others : open;
    const fewest = Math.min(...possible.map(held));
    const next = possible.find((one) => held(one) === fewest);
    if (next === undefined) break;
    admitted.push(next.id);
    left = left.filter((one) => one !== next);
    count(ofRecipient, next.recipientId);
    for (const id of next.sourceIds) count(ofSource, id);
  }
  return admitted;
}

function countBy(
  contenders: readonly Contender[],
  keysOf: (contender: Contender) => readonly string[],
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of contenders.flatMap(keysOf)) count(counts, key);
  return counts;
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
