import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  compareInstants,
  earlier,
  epochSeconds,
  instantFromMicros,
  instantMicros,
  later,
  minusSeconds,
} from './instant.ts';

function checkMicros(text: string, micros: bigint) {
  expect(instantMicros(text)).toBe(micros);
}

test('instants are read as exact microseconds', () => {
  checkMicros('1970-01-01 00:00:00+00', 0n);
  checkMicros('1970-01-01', 0n);
  checkMicros('1969-12-31 23:59:59.999999+00', -1n);
  checkMicros('2026-01-02 03:04:05.000006+00', 1_767_323_045_000_006n);
  checkMicros('2026-01-02T03:04:05.000006Z', 1_767_323_045_000_006n);
  checkMicros('2026-01-02 03:04:05.5', 1_767_323_045_500_000n);
  checkMicros('2024-02-29 00:00:00+00', 1_709_164_800_000_000n);
});

test('a zone moves the instant, down to its seconds', () => {
  const utc = instantMicros('2026-01-02 03:00:00+00');
  checkMicros('2026-01-02 05:00:00+02', utc);
  checkMicros('2026-01-02 08:30:00+05:30', utc);
  checkMicros('2026-01-01 22:00:00-05', utc);
  checkMicros('1890-01-01 00:53:28+00:53:28', instantMicros('1890-01-01 00:00:00+00'));
});

test('far dates keep their place in the order', () => {
  const ordered = [
    '-infinity',
    '4714-11-24 00:00:00+00 BC',
    '0002-01-01 00:00:00+00 BC',
    '0001-12-31 23:59:59.999999+00 BC',
    '0001-01-01 00:00:00+00',
    '9999-12-31 23:59:59+00',
    '10000-01-01 00:00:00+00',
    '294276-12-31 23:59:59.999999+00',
    'infinity',
  ];
  for (const [index, text] of ordered.slice(1).entries()) {
    expect(compareInstants(ordered[index] ?? '', text)).toBe(-1);
  }
  expect(instantMicros('0001-01-01') - instantMicros('0001-12-31 BC')).toBe(86_400_000_000n);
});

test.each([
  '',
  'yesterday',
  '2026-1-2',
  '2026-13-01',
  '2026-00-01',
  '2026-01-32',
  '2025-02-29',
  '2026-01-01 25:00',
  '2026-01-01 00:60',
])('the text "%s" is refused and not repeated in the error', (text) => {
  expect(() => instantMicros(text)).toThrow(new RangeError('not an instant'));
});

const postgresMicros = fc.bigInt({
  min: instantMicros('4714-11-24 00:00:00+00 BC'),
  max: instantMicros('294276-12-31 23:59:59.999999+00'),
});

test('an instant made from microseconds reads back as the same microseconds', () => {
  fc.assert(
    fc.property(postgresMicros, (micros) => {
      expect(instantMicros(instantFromMicros(micros))).toBe(micros);
    }),
  );
  for (const text of ['infinity', '-infinity']) {
    expect(instantFromMicros(instantMicros(text))).toBe(text);
  }
});

test('calendar dates agree with those of the language where it has them', () => {
  const millis = fc.integer({ min: Date.UTC(1, 0, 1), max: Date.UTC(9999, 11, 31) });
  fc.assert(
    fc.property(millis, (value) => {
      const iso = new Date(value).toISOString();
      expect(instantMicros(iso)).toBe(BigInt(value) * 1000n);
      expect(instantFromMicros(BigInt(value) * 1000n)).toBe(
        iso.replace('T', ' ').replace('Z', '000+00'),
      );
    }),
  );
});

test('an unknown instant does not count as the lower or the higher', () => {
  const [low, high] = ['2026-01-01', '2026-01-02'];
  expect(earlier(low, high)).toBe(low);
  expect(later(low, high)).toBe(high);
  expect(earlier(undefined, high)).toBe(high);
  expect(later(low, undefined)).toBe(low);
  expect(earlier(undefined, undefined)).toBeUndefined();
});

test('the lookback moves an instant back, but never out of what Postgres has', () => {
  expect(minusSeconds('2026-01-01 00:00:10.000001+00', 30)).toBe('2025-12-31 23:59:40.000001+00');
  expect(minusSeconds('0001-01-01 00:00:00+00', 604_800)).toBe('0001-12-25 00:00:00.000000+00 BC');
  for (const text of ['infinity', '-infinity', '4714-11-24 00:00:00+00 BC']) {
    expect(minusSeconds(text, 30)).toBe(text);
  }
});

test('epoch seconds are rounded down, before 1970 too', () => {
  expect(epochSeconds('1970-01-01 00:00:01.999999+00')).toBe(1);
  expect(epochSeconds('1969-12-31 23:59:59.5+00')).toBe(-1);
  expect(epochSeconds('1970-01-01')).toBe(0);
});
