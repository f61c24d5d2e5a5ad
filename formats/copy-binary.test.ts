import { expect, test } from 'vitest';
import { Failure } from '../domain/failure.ts';
import { binaryFields } from './copy-binary.ts';

const row = (hex: string) => Buffer.from(hex, 'hex');

test('the first fields of a row are read, null among them', () => {
  expect(
    binaryFields(row('0003 00000002 002a ffffffff 00000001 61'.replaceAll(' ', '')), [
      'int2',
      'text',
    ]),
  ).toEqual(['42', null]);
});

test.each(['0001', '0001000000', '000100000008 00000000'.replace(' ', '')])(
  'fields that go on after the bytes given are told from fields that do not: %s',
  (hex) => {
    expect(binaryFields(row(hex), ['int8'])).toBeUndefined();
  },
);

test.each([
  ['a row with fewer fields than its cursor', '0000'],
  ['a value of another length than its type', '0001000000010a'],
])('%s is refused', (_what, hex) => {
  expect(() => binaryFields(row(hex), ['int2'])).toThrow(Failure);
});
