import { expect, test } from 'vitest';
import { chooseStarts, type QueuedTransfer } from './transfer-queue.ts';

/** `orders+users@3`: a transfer of two models, submitted in minute 3. Its id is its text. */
function transfer(id: string): QueuedTransfer {
  const [models = '', minute = '0'] = id.split('@');
  return { id, modelIds: models.split('+'), submittedAt: new Date(Number(minute) * 60_000) };
}

function check(waiting: string[], running: string[], expected: string[], concurrencyMax = 2) {
  const state = { waiting: waiting.map(transfer), running: running.map(transfer), concurrencyMax };
  expect(chooseStarts(state)).toEqual(expected);
}

test('the oldest start first, as many as may run at once', () => {
  check(['c@3', 'a@1', 'b@2'], [], ['a@1', 'b@2']);
  check(['c@3', 'b@2'], ['a@1'], ['b@2']);
  check(['c@3'], ['a@1', 'b@2'], []);
  check(['a@1', 'b@1'], [], ['a@1'], 1);
});

test('two transfers that share a model never run together', () => {
  check(['a+b@2'], ['b+c@1'], []);
  check(['a@1', 'a+b@2', 'c@3'], [], ['a@1', 'c@3']);
});

test('a transfer that waits is not overtaken by later ones that share a model with it', () => {
  check(['a+b@2', 'b@3', 'c@4'], ['a@1'], ['c@4']);
  check(['a+b@2', 'b@3'], ['c@0', 'd@1'], []);
});

test('transfers of one moment keep one order', () => {
  check(['b@1', 'a@1'], [], ['a@1'], 1);
});

test('nothing waits, nothing starts', () => {
  check([], ['a@1'], []);
});
