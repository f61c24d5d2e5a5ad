/** Types whose binary form has one exact text, and which so can be part of a cursor read from binary. */
export const binaryCursorTypes = [
  'timestamptz',
  'timestamp',
  'date',
  'uuid',
  'int2',
  'int4',
  'int8',
  'text',
  'varchar',
] as const;
export type BinaryCursorType = (typeof binaryCursorTypes)[number];

/** How long the value has to be; text may have any length. */
const lengths: Partial<Record<BinaryCursorType, number>> = {
  timestamptz: 8,
  timestamp: 8,
  date: 4,
  uuid: 16,
  int2: 2,
  int4: 4,
  int8: 8,
};

/**
 * The text that the server prints under `datestyle ISO` and `timezone UTC` for a value of COPY's binary form.
 * Throws a RangeError, without the value, where the bytes are no value of the type.
 */
export function binaryValueText(type: BinaryCursorType, bytes: Buffer): string {
  const length = lengths[type] ?? bytes.length;
  if (bytes.length !== length) throw new RangeError(`a ${type} of ${bytes.length} bytes`);
  switch (type) {
    case 'timestamptz':
      return timestampText(bytes.readBigInt64BE(), '+00');
    case 'timestamp':
      return timestampText(bytes.readBigInt64BE(), '');
    case 'date':
      return dateValueText(bytes.readInt32BE());
    case 'uuid':
      return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
    case 'int2':
      return String(bytes.readInt16BE());
    case 'int4':
      return String(bytes.readInt32BE());
    case 'int8':
      return String(bytes.readBigInt64BE());
    case 'text':
    case 'varchar':
      return utf8Text(bytes);
  }
}

/** The server counts days and microseconds from 2000-01-01, and has the extremes mean infinity. */
const int64Max = 2n ** 63n - 1n;
const int64Min = -(2n ** 63n);
const int32Max = 2 ** 31 - 1;
const int32Min = -(2 ** 31);
const microsPerDay = 86_400_000_000n;

function timestampText(micros: bigint, zone: string): string {
  if (micros === int64Max) return 'infinity';
  if (micros === int64Min) return '-infinity';
  const microsOfDay = ((micros % microsPerDay) + microsPerDay) % microsPerDay;
  const days = Number((micros - microsOfDay) / microsPerDay);
  const { date, era } = civilDate(days);
  return `${date} ${timeText(Number(microsOfDay))}${zone}${era}`;
}

function dateValueText(days: number): string {
  if (days === int32Max) return 'infinity';
  if (days === int32Min) return '-infinity';
  const { date, era } = civilDate(days);
  return `${date}${era}`;
}

function timeText(microsOfDay: number): string {
  const seconds = Math.floor(microsOfDay / 1e6);
  const fraction = twoOrMore(microsOfDay % 1e6, 6).replace(/0+$/, '');
  const hours = twoOrMore(Math.floor(seconds / 3600));
  const minutes = twoOrMore(Math.floor(seconds / 60) % 60);
  const clock = `${hours}:${minutes}:${twoOrMore(seconds % 60)}`;
  return fraction === '' ? clock : `${clock}.${fraction}`;
}

/**
 * A day of the proleptic Gregorian calendar, counted from 2000-01-01. Years are counted from March, so that
 * the leap day is the last of its year and the lengths of months follow one formula.
 */
function civilDate(days: number): { date: string; era: '' | ' BC' } {
  const sinceMarch = days + 730_425; // from 0000-03-01
  const cycle = Math.floor(sinceMarch / 146_097); // of 400 years
  const dayOfCycle = sinceMarch - cycle * 146_097;
  const leapDays =
    Math.floor(dayOfCycle / 1_460) -
    Math.floor(dayOfCycle / 36_524) +
    Math.floor(dayOfCycle / 146_096);
  const yearOfCycle = Math.floor((dayOfCycle - leapDays) / 365);
  const firstDay = 365 * yearOfCycle + Math.floor(yearOfCycle / 4) - Math.floor(yearOfCycle / 100);
  const dayOfYear = dayOfCycle - firstDay;
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = cycle * 400 + yearOfCycle + (month <= 2 ? 1 : 0);
  const [shown, era] = year > 0 ? [year, '' as const] : [1 - year, ' BC' as const];
  return { date: `${twoOrMore(shown, 4)}-${twoOrMore(month)}-${twoOrMore(day)}`, era };
}

function twoOrMore(value: number, digits = 2): string {
  return String(value).padStart(digits, '0');
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8Text(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new RangeError('a text that is not UTF-8');
  }
}
