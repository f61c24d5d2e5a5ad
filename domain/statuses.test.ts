import { expect, test } from 'vitest';
import { isFinal, outcomeOf, transferStatuses, type ModelStatus } from './statuses.ts';

test('a transfer waits or runs, and every other status is its last', () => {
  const open = transferStatuses.filter((status) => !isFinal(status));
  expect(open).toEqual(['PENDING', 'RUNNING']);
});

test.each<[ModelStatus[], string]>([
  [[], 'SUCCESS'],
  [['SUCCESS', 'SUCCESS'], 'SUCCESS'],
  [['SUCCESS', 'ERROR'], 'PARTIAL_FAILURE'],
  [['SUCCESS', 'ERROR', 'CANCELLED'], 'PARTIAL_FAILURE'],
  [['ERROR', 'ERROR'], 'ERROR'],
  [['ERROR', 'CANCELLED'], 'ERROR'],
  [['CANCELLED'], 'CANCELLED'],
  [['SUCCESS', 'CANCELLED'], 'CANCELLED'],
])('models that ended %j make the transfer %s', (models, expected) => {
  expect(outcomeOf(models.map((status) => ({ status, hasWindows: false })))).toBe(expected);
});

test.each<[ModelStatus[], string]>([
  [['ERROR'], 'PARTIAL_FAILURE'],
  [['ERROR', 'ERROR'], 'PARTIAL_FAILURE'],
  [['CANCELLED'], 'CANCELLED'],
])('models that ended %j after some of their windows make the transfer %s', (models, expected) => {
  expect(outcomeOf(models.map((status) => ({ status, hasWindows: true })))).toBe(expected);
});
