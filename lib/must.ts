/** Something the code relies on did not hold: a defect of ours, never the customer's doing. */
export class BrokenAssumption extends Error {
  override readonly name = 'BrokenAssumption';
}

/** The value, known to be present. `what` names it for the reader of the error, without row values. */
export function must<T>(value: T, what: string): NonNullable<T> {
  if (value === undefined || value === null) throw new BrokenAssumption(`missing: ${what}`);
  return value;
}

/** Goes on only where `condition` holds. `what` says what should have been true, without row values. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new BrokenAssumption(`not so: ${what}`);
}
