/** Recipient and model may both say where loads begin; both count for every load, so the later one does. */
export function laterBound(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}
