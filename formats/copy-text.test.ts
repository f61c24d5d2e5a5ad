import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../domain/failure.ts';
import { encodeCopyTextRow, parseCopyTextRows, textFields } from './copy-text.ts';

const hard = [
  '',
  '\\',
  '\\N',
  '\\.',
  'a\tb',
  'a\nb',
  'a\r\nb',
  '\b\f\v',
  'é😀',
  '\u0001\u001f\u007f',
  '\ufeffx',
  'N',
  '.',
];

test('hard values go there and back', () => {
  const row = [...hard, null];
  expect(parseCopyTextRows(encodeCopyTextRow(row))).toEqual([row]);
});

test('any values go there and back, and a row has one newline', () => {
  const values = fc.array(fc.option(fc.string({ unit: 'binary' })), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.array(values, { maxLength: 6 }), (rows) => {
      const encoded = rows.map(encodeCopyTextRow);
      expect(encoded.every((bytes) => bytes.indexOf(10) === bytes.length - 1)).toBe(true);
      expect(parseCopyTextRows(Buffer.concat(encoded))).toEqual(rows);
    }),
  );
});

test('the spelling is that of the server', () => {
  expect(encodeCopyTextRow(['a\tb\\', null, '', '\n\r\b\f\v']).toString()).toBe(
    'a\\tb\\\\\t\\N\t\t\\n\\r\\b\\f\\v\n',
  );
});

test('no bytes are no rows, and an empty line is one empty value', () => {
  expect(parseCopyTextRows(Buffer.alloc(0))).toEqual([]);
  expect(parseCopyTextRows(Buffer.from('\n'))).toEqual([['']]);
});

function failureOf(text: string): Failure {
  try {
    parseCopyTextRows(Buffer.from(text));
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('it was read');
}

describe('what no server sends is refused without being repeated', () => {
  test.each(['secret', 'a\\.\n', 'secret\\x41\n', 'secret\\101\n', 'secret\\\n', 'a\\Nb\n'])(
    '%j',
    (text) => {
      const error = failureOf(text);
      expect(JSON.stringify(error) + String(error)).not.toContain('secret');
    },
  );

  test('bytes that are not UTF-8, in a row or in a cursor', () => {
    const bytes = Buffer.from([0x61, 0xff, 0x0a]);
    expect(() => parseCopyTextRows(bytes)).toThrow(Failure);
    expect(() => textFields(bytes, 1)).toThrow(Failure);
  });
});

test('the first fields of a row are read, null among them', () => {
  expect(textFields(Buffer.from('a\\tb\t\\N\tthird\n'), 2)).toEqual(['a\tb', null]);
  expect(textFields(Buffer.from('a\n'), 1)).toEqual(['a']);
});

test('fields that go on after the bytes given are told from fields that do not', () => {
  expect(textFields(Buffer.from('a\tbegun'), 2)).toBeUndefined();
});

test('a row with fewer fields than its cursor is refused', () => {
  expect(() => textFields(Buffer.from('a\n'), 2)).toThrow(Failure);
});
