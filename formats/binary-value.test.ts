import { describe, expect, test } from 'vitest';
import { binaryValueText, type BinaryCursorType } from './binary-value.ts';

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

describe('timestamps, in microseconds since 2000', () => {
  test.each<[bigint, string]>([
    [0n, '2000-01-01 00:00:00+00'],
    [1n, '2000-01-01 00:00:00.000001+00'],
    [-1n, '1999-12-31 23:59:59.999999+00'],
    [757_480_385_123_400n, '2024-01-02 03:13:05.1234+00'],
    [-63_082_281_600_000_000n, '0001-01-01 00:00:00+00'],
    [-63_082_281_600_000_001n, '0001-12-31 23:59:59.999999+00 BC'],
    [-211_813_488_000_000_000n, '4714-11-24 00:00:00+00 BC'],
    [9_223_371_331_199_999_999n, '294276-12-31 23:59:59.999999+00'],
    [2n ** 63n - 1n, 'infinity'],
    [-(2n ** 63n), '-infinity'],
  ])('%d is %s', (micros, text) => {
    expect(binaryValueText('timestamptz', int64(micros))).toBe(text);
    expect(binaryValueText('timestamp', int64(micros))).toBe(text.replace('+00', ''));
  });
});

test.each<[number, string]>([
  [0, '2000-01-01'],
  [59, '2000-02-29'],
  [-1, '1999-12-31'],
  [-730_119, '0001-01-01'],
  [-730_120, '0001-12-31 BC'],
  [-2_451_545, '4714-11-24 BC'],
  [2_145_031_948, '5874897-12-31'],
  [2 ** 31 - 1, 'infinity'],
  [-(2 ** 31), '-infinity'],
])('the day %d is %s', (days, text) => {
  expect(binaryValueText('date', int32(days))).toBe(text);
});

test('days agree with the calendar of JavaScript where that one reaches', () => {
  for (let days = -730_000; days < 2_900_000; days += 97) {
    const text = new Date((days + 10_957) * 86_400_000).toISOString().slice(0, 10);
    expect(binaryValueText('date', int32(days))).toBe(text);
  }
});

test.each<[BinaryCursorType, string, string]>([
  ['uuid', '00112233445566778899aabbccddeeff', '00112233-4455-6677-8899-aabbccddeeff'],
  ['int2', '8000', '-32768'],
  ['int4', 'fffffffe', '-2'],
  ['int8', '7fffffffffffffff', '9223372036854775807'],
  ['text', 'efbbbf41', '\ufeffA'],
  ['varchar', '', ''],
])('%s %s is %j', (type, hex, text) => {
  expect(binaryValueText(type, Buffer.from(hex, 'hex'))).toBe(text);
});

test.each<[BinaryCursorType, number]>([
  ['uuid', 15],
  ['int8', 4],
  ['timestamptz', 9],
  ['date', 0],
])('a %s of %d bytes is refused', (type, length) =>
  expect(() => binaryValueText(type, Buffer.alloc(length))).toThrow(RangeError),
);

test('text that is not UTF-8 is refused', () => {
  expect(() => binaryValueText('text', Buffer.from([0xff]))).toThrow(RangeError);
});
