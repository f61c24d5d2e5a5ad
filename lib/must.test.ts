import { expect, test } from 'vitest';
import { assert, BrokenAssumption, must } from './must.ts';

test('must gives back what is there, falsy or not', () => {
  expect([must(0, 'zero'), must('', 'text'), must(false, 'flag')]).toEqual([0, '', false]);
});

test('must says what is missing', () => {
  expect(() => must(undefined, 'the first model')).toThrow(
    new BrokenAssumption('missing: the first model'),
  );
  expect(() => must(null, 'a row')).toThrow(BrokenAssumption);
});

test('assert narrows, and says what was not so', () => {
  const value: string | number = JSON.parse('"text"');
  assert(typeof value === 'string', 'a text');
  expect(value.length).toBe(4);
  expect(() => assert(value === '', 'an empty text')).toThrow(
    new BrokenAssumption('not so: an empty text'),
  );
});
