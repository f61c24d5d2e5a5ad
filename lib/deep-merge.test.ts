import { expect, test } from 'vitest';
import { deepMerge, isJsonObject } from './deep-merge.ts';

test('objects merge key by key, everything else is replaced whole', () => {
  const base = { a: { b: 1, c: [1, 2] }, d: 'x', e: { f: 1 } };
  expect(deepMerge(base, { a: { c: [3] }, d: { y: 1 }, e: null })).toEqual({
    a: { b: 1, c: [3] },
    d: { y: 1 },
    e: null,
  });
  expect(base).toEqual({ a: { b: 1, c: [1, 2] }, d: 'x', e: { f: 1 } });
});

test('a key named __proto__ is a key like any other', () => {
  const merged = deepMerge({}, JSON.parse('{"__proto__": {"isAdmin": true}}'));
  expect(Object.keys(merged)).toEqual(['__proto__']);
  expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  expect(Object.getPrototypeOf(merged)).toBe(Object.prototype);
});

test('arrays and null are no objects', () => {
  expect([{}, [], null, 'x', 1].map(isJsonObject)).toEqual([true, false, false, false, false]);
});
