import { expect, test } from 'vitest';
import { chooseStarts, type QueuedTransfer } from './transfer-queue.ts';

/** `orders+users@3`: a transfer of two models, submitted in minute 3. Its id is its text. */
function transfer(id: string): QueuedTransfer {
  const [models = '', minute = '0'] = id.split('@');
  const submittedAt = new Date(Number(minute) * 60_000);
  return {
    id,
    modelIds: models.replace('fill ', '').split('+'),
    submittedAt,
    isBackfill: id.startsWith('fill '),
  };
}

interface Queue {
  readonly waiting: string[];
  readonly running?: string[];
  readonly atOnce?: number;
}

function check({ waiting, running = [], atOnce = 2 }: Queue, expected: string[]) {
  const state = {
    waiting: waiting.map(transfer),
    running: running.map(transfer),
    concurrencyMax: atOnce,
  };
  expect(chooseStarts(state)).toEqual(expected);
}

test('the oldest start first, as many as may run at once', () => {
  check({ waiting: ['c@3', 'a@1', 'b@2'] }, ['a@1', 'b@2']);
  check({ waiting: ['c@3', 'b@2'], running: ['a@1'] }, ['b@2']);
  check({ waiting: ['c@3'], running: ['a@1', 'b@2'] }, []);
  check({ waiting: ['a@1', 'b@1'], atOnce: 1 }, ['a@1']);
});

test('two transfers that share a model never run together', () => {
  check({ waiting: ['a+b@2'], running: ['b+c@1'] }, []);
  check({ waiting: ['a@1', 'a+b@2', 'c@3'] }, ['a@1', 'c@3']);
});

test('a transfer that waits is not overtaken by later ones that share a model with it', () => {
  check({ waiting: ['a+b@2', 'b@3', 'c@4'], running: ['a@1'] }, ['c@4']);
  check({ waiting: ['a+b@2', 'b@3'], running: ['c@0', 'd@1'] }, []);
});

test('a backfill makes way for all others, and holds back none', () => {
  check({ waiting: ['fill a@1', 'b@2'], atOnce: 1 }, ['b@2']);
  check({ waiting: ['fill a@1', 'a@2'] }, ['a@2']);
  check({ waiting: ['fill a@1', 'b@2'] }, ['b@2', 'fill a@1']);
  check({ waiting: ['a@2'], running: ['fill a@1'] }, []);
});

test('transfers of one moment keep one order', () => {
  check({ waiting: ['b@1', 'a@1'], atOnce: 1 }, ['a@1']);
});

test('nothing waits, nothing starts', () => {
  check({ waiting: [], running: ['a@1'] }, []);
});
