import { expect, test } from 'vitest';
import { isUuid, uuidv7 } from './uuid.ts';

test('it carries version, variant and the millisecond', () => {
  const id = uuidv7(0x0190_1234_5678);
  expect(id).toMatch(/^01901234-5678-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(isUuid(id)).toBe(true);
});

test('ids of one millisecond sort in the order they were made', () => {
  const ids = Array.from({ length: 50_000 }, () => uuidv7(1_700_000_000_000));
  expect(ids.toSorted()).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
});

test('ids of the running clock sort in the order they were made', () => {
  const ids = Array.from({ length: 50_000 }, () => uuidv7());
  expect(ids.toSorted()).toEqual(ids);
});

test('ids of a later millisecond sort after those of an earlier one', () => {
  expect(uuidv7(5_000) < uuidv7(5_001)).toBe(true);
});

test.each(['', 'x', '01901234567870008000000000000000', '{01901234-5678-7000-8000-000000000000}'])(
  '%j is no uuid',
  (text) => expect(isUuid(text)).toBe(false),
);
