import type { InstantText } from './instant.ts';
import { instantFromMicros, instantMicros } from './instant.ts';

/** A time as the API writes it: UTC with `Z` and milliseconds. */
export function instantOut(at: Date): string {
  return at.toISOString();
}

/** The same where it may be unset. */
export function optionalInstantOut(at: Date | null | undefined): string | null {
  return at?.toISOString() ?? null;
}

/** An exact instant: with microseconds only where it has them, and null where RFC 3339 cannot write it. */
export function exactInstantOut(text: InstantText | null | undefined): string | null {
  if (text === null || text === undefined) return null;
  const micros = instantMicros(text);
  if (micros < firstMicros || micros > lastMicros) return null;
  const written = instantFromMicros(micros);
  const fraction = micros % 1000n === 0n ? written.slice(20, 23) : written.slice(20, 26);
  return `${written.slice(0, 19).replace(' ', 'T')}.${fraction}Z`;
}

const firstMicros = instantMicros('0001-01-01 00:00:00+00');
const lastMicros = instantMicros('9999-12-31 23:59:59.999999+00');
