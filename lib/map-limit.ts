/**
 * Runs `work` over `items`, at most `limit` at once, and gives the results in the order of the items. After
 * the first failure nothing new is begun; what runs is awaited, then that failure is thrown.
 */
export async function mapLimit<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const waiting = items.entries();
  let failed = false;
  async function runLane(): Promise<void> {
    // The lanes share one iterator, so each item is taken once.
    for (const [index, item] of waiting) {
      try {
        results[index] = await work(item, index);
      } catch (error) {
        failed = true;
        throw error;
      }
      if (failed) return;
    }
  }
  const lanes = Array.from({ length: Math.min(limit, items.length) }, runLane);
  const outcomes = await Promise.allSettled(lanes);
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failure) throw failure.reason;
  return results;
}
