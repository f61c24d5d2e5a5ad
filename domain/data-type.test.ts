import { expect, test } from 'vitest';
import { findLogicalType, logicalTypes, type LogicalType } from './data-type.ts';

function check(word: string, expected: LogicalType | undefined) {
  expect(findLogicalType(word)).toBe(expected);
}

test('every logical type is a word for itself, in any case', () => {
  for (const type of logicalTypes) {
    check(type, type);
    check(` ${type.toUpperCase()} `, type);
  }
});

test('synonyms stand for logical types', () => {
  for (const word of ['text', 'varchar', 'char', 'uuid', 'UUID']) check(word, 'string');
  for (const word of ['int', 'smallint']) check(word, 'integer');
  for (const word of ['double', 'real']) check(word, 'float');
  for (const word of ['timestamptz', 'datetime']) check(word, 'timestamp');
  for (const word of ['binary', 'bytea']) check(word, 'bytes');
  check('bool', 'boolean');
  check('jsonb', 'json');
});

test('a decimal may name its digits', () => {
  for (const word of ['numeric', 'decimal(10)', 'DECIMAL(38, 9)', 'numeric( 12 , 2 )']) {
    check(word, 'decimal');
  }
});

test('other words stand for nothing', () => {
  const words = [
    '',
    'varchar(20)',
    'decimal()',
    'decimal(1,2,3)',
    'strin',
    'constructor',
    '__proto__',
  ];
  for (const word of words) check(word, undefined);
});
