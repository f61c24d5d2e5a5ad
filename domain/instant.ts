/**
 * Instants as Postgres prints them under `datestyle ISO` and `timezone UTC`
 * (`2026-01-02 03:04:05.000006+00`, with ` BC` where it applies), compared as exact microseconds.
 * A JavaScript Date has milliseconds and ends in the year 275760: it would lose both.
 */
export type InstantText = string;

const pattern =
  /^(\d{4,6})-(\d{2})-(\d{2})(?:[ T](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?)?(Z|[+-]\d{2}(?::?\d{2}){0,2})?( BC)?$/;

/** Above and below every finite instant of Postgres (whose years end at 294276). */
const infinity = 10n ** 20n;

const microsPerDay = 86_400_000_000n;

/** The first instant that Postgres has. */
const earliest = daysFromCivil(-4713n, 11n, 24n) * microsPerDay;

/** Days from 1970-01-01 to a date of the proleptic Gregorian calendar (year 0 is 1 BC). */
function daysFromCivil(year: bigint, month: bigint, day: bigint): bigint {
  // Counting years from March puts the leap day last, so that month lengths follow one formula.
  const y = month <= 2n ? year - 1n : year;
  const era = (y >= 0n ? y : y - 399n) / 400n;
  const yearOfEra = y - era * 400n;
  const dayOfYear = (153n * (month > 2n ? month - 3n : month + 9n) + 2n) / 5n + day - 1n;
  const dayOfEra = yearOfEra * 365n + yearOfEra / 4n - yearOfEra / 100n + dayOfYear;
  return era * 146097n + dayOfEra - 719468n;
}

/** The inverse of `daysFromCivil`. */
function civilFromDays(days: bigint): { year: bigint; month: bigint; day: bigint } {
  const shifted = days + 719468n;
  const era = (shifted >= 0n ? shifted : shifted - 146096n) / 146097n;
  const dayOfEra = shifted - era * 146097n;
  const yearOfEra = (dayOfEra - dayOfEra / 1460n + dayOfEra / 36524n - dayOfEra / 146096n) / 365n;
  const dayOfYear = dayOfEra - (yearOfEra * 365n + yearOfEra / 4n - yearOfEra / 100n);
  const monthFromMarch = (5n * dayOfYear + 2n) / 153n;
  const day = dayOfYear - (153n * monthFromMarch + 2n) / 5n + 1n;
  const month = monthFromMarch < 10n ? monthFromMarch + 3n : monthFromMarch - 9n;
  return { year: yearOfEra + era * 400n + (month <= 2n ? 1n : 0n), month, day };
}

function offsetSeconds(zone: string | undefined): bigint {
  if (zone === undefined || zone === 'Z') return 0n;
  const [hours = 0n, minutes = 0n, seconds = 0n] = (zone.slice(1).match(/\d{2}/g) ?? []).map(
    BigInt,
  );
  const total = hours * 3600n + minutes * 60n + seconds;
  return zone.startsWith('-') ? -total : total;
}

/**
 * Microseconds since 1970-01-01 UTC. Text without a zone counts as UTC.
 * @throws RangeError when the text is not an instant; the text is not repeated, it may be a row value.
 */
export function instantMicros(text: InstantText): bigint {
  if (text === 'infinity') return infinity;
  if (text === '-infinity') return -infinity;
  const match = pattern.exec(text);
  if (match === null) throw new RangeError('not an instant');
  const [, year = '', month = '', day = '', hour = '0', minute = '0', second = '0'] = match;
  const fraction = BigInt((match[7] ?? '').padEnd(6, '0'));
  const civilYear = match[9] === undefined ? BigInt(year) : 1n - BigInt(year);
  const days = daysFromCivil(civilYear, BigInt(month), BigInt(day));
  const isOnCalendar =
    civilFromDays(days).day === BigInt(day) && civilFromDays(days).month === BigInt(month);
  const isOnClock = Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60;
  if (!isOnCalendar || !isOnClock) throw new RangeError('not an instant');
  const seconds =
    days * 86400n +
    BigInt(hour) * 3600n +
    BigInt(minute) * 60n +
    BigInt(second) -
    offsetSeconds(match[8]);
  return seconds * 1_000_000n + fraction;
}

/** Negative, zero or positive. */
export function compareInstants(a: InstantText, b: InstantText): number {
  const [left, right] = [instantMicros(a), instantMicros(b)];
  return Number(left > right) - Number(left < right);
}

/** The lower of two, where an unknown one does not count. */
export function earlier(a: InstantText, b: InstantText): InstantText;
export function earlier(
  a: InstantText | undefined,
  b: InstantText | undefined,
): InstantText | undefined;
export function earlier(
  a: InstantText | undefined,
  b: InstantText | undefined,
): InstantText | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareInstants(a, b) <= 0 ? a : b;
}

/** The higher of two, where an unknown one does not count. */
export function later(a: InstantText, b: InstantText | undefined): InstantText;
export function later(
  a: InstantText | undefined,
  b: InstantText | undefined,
): InstantText | undefined;
export function later(
  a: InstantText | undefined,
  b: InstantText | undefined,
): InstantText | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareInstants(a, b) >= 0 ? a : b;
}

/** An instant as text that Postgres and `instantMicros` read back exactly, for every year Postgres has. */
export function instantFromMicros(micros: bigint): InstantText {
  if (micros >= infinity) return 'infinity';
  if (micros <= -infinity) return '-infinity';
  const microsOfDay = ((micros % microsPerDay) + microsPerDay) % microsPerDay;
  const { year, month, day } = civilFromDays((micros - microsOfDay) / microsPerDay);
  const seconds = microsOfDay / 1_000_000n;
  const shownYear = year > 0n ? year : 1n - year;
  const date = `${digits(shownYear, 4)}-${digits(month, 2)}-${digits(day, 2)}`;
  const clock = [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n]
    .map((n) => digits(n, 2))
    .join(':');
  const fraction = digits(microsOfDay % 1_000_000n, 6);
  return `${date} ${clock}.${fraction}+00${year > 0n ? '' : ' BC'}`;
}

function digits(value: bigint, length: number): string {
  return String(value).padStart(length, '0');
}

/** An instant moved back by whole seconds; infinities and the far past stay where they are. */
export function minusSeconds(text: InstantText, seconds: number): InstantText {
  const micros = instantMicros(text);
  const moved = micros - BigInt(seconds) * 1_000_000n;
  return micros >= infinity || moved < earliest ? text : instantFromMicros(moved);
}

/** Whole seconds since 1970, rounded down, for the compatible numbers of the API. */
export function epochSeconds(text: InstantText): number {
  const micros = instantMicros(text);
  return Number((micros - (((micros % 1_000_000n) + 1_000_000n) % 1_000_000n)) / 1_000_000n);
}
