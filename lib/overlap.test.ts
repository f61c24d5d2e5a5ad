import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { overlap } from './overlap.ts';

/** A source and a sink that note in `log` what happens, in order. */
function createEnds() {
  const log: string[] = [];
  async function* read(count: number, failAt = -1): AsyncGenerator<number> {
    try {
      for (let item = 0; item < count; item += 1) {
        await setImmediate();
        if (item === failAt) throw new Error('read failed');
        log.push(`read ${item}`);
        yield item;
      }
    } finally {
      log.push('closed');
    }
  }
  async function write(item: number): Promise<void> {
    log.push(`begin ${item}`);
    for (let turn = 0; turn < 5; turn += 1) await setImmediate();
    log.push(`end ${item}`);
  }
  return { log, read, write };
}

test('an item that fills the memory is written before the next is read', async () => {
  const { log, read, write } = createEnds();
  await overlap(read(3), write, { fillsMemory: (item) => item === 1 });
  expect(log.indexOf('read 1')).toBeLessThan(log.indexOf('end 0'));
  expect(log.indexOf('read 2')).toBeGreaterThan(log.indexOf('end 1'));
});

test('the next item is read while one is written, and none further', async () => {
  const { log, read, write } = createEnds();
  await overlap(read(3), write);
  const order = 'read 0, begin 0, read 1, end 0, begin 1, read 2, end 1, begin 2, closed, end 2';
  expect(log.join(', ')).toBe(order);
});

test('no items: nothing is written', async () => {
  const { log, read, write } = createEnds();
  await overlap(read(0), write);
  expect(log).toEqual(['closed']);
});

test('a failing write closes the source before its error is thrown', async () => {
  const { log, read } = createEnds();
  const work = overlap(read(9), async (item) => {
    if (item === 1) throw new Error('write failed');
  });
  await expect(work).rejects.toThrow('write failed');
  expect(log).toEqual(['read 0', 'read 1', 'read 2', 'closed']);
});

test('a sink that throws at once is a failing write too', async () => {
  const { log, read } = createEnds();
  const work = overlap(read(2), () => {
    throw new Error('at once');
  });
  await expect(work).rejects.toThrow('at once');
  expect(log.at(-1)).toBe('closed');
});

test('a failing read waits for the write in flight', async () => {
  const { log, read, write } = createEnds();
  await expect(overlap(read(3, 1), write)).rejects.toThrow('read failed');
  expect(log).toEqual(['read 0', 'begin 0', 'closed', 'end 0']);
});

test('when both fail, the write is the one that is told', async () => {
  const { read } = createEnds();
  const work = overlap(read(3, 1), async () => {
    await setImmediate();
    await setImmediate();
    throw new Error('write failed');
  });
  await expect(work).rejects.toThrow('write failed');
});

test('a first read that fails is thrown as it is', async () => {
  const { read, write } = createEnds();
  await expect(overlap(read(3, 0), write)).rejects.toThrow('read failed');
});

test('stop ends after its item and drops what was read ahead', async () => {
  const { log, read, write } = createEnds();
  await overlap(read(9), async (item) => {
    await write(item);
    return item === 1 ? 'stop' : undefined;
  });
  expect(log.filter((line) => line.startsWith('end'))).toEqual(['end 0', 'end 1']);
  expect(log.at(-1)).toBe('closed');
});

/** Gives one item; the read after it never comes unless the signal ends it. */
async function* readOnce(signal: AbortSignal): AsyncGenerator<number> {
  yield 0;
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason));
  await promise;
}

test('stop interrupts a read that would never come', async () => {
  const reading = new AbortController();
  await overlap(readOnce(reading.signal), async () => 'stop', { reading });
  expect(reading.signal.aborted).toBe(true);
});

test('a failing write interrupts a read that would never come', async () => {
  const reading = new AbortController();
  const write = () => Promise.reject(new Error('write failed'));
  await expect(overlap(readOnce(reading.signal), write, { reading })).rejects.toThrow(
    'write failed',
  );
});

test('whatever takes how long, every item is written once, in order, one at a time', async () => {
  const pace = fc.array(fc.tuple(fc.nat(4), fc.nat(4)), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(pace, async (turns) => {
      let live = 0;
      const written: number[] = [];
      async function* read(): AsyncGenerator<number> {
        for (const [item, [wait]] of turns.entries()) {
          for (let turn = 0; turn < wait; turn += 1) await setImmediate();
          live += 1;
          expect(live).toBeLessThanOrEqual(2);
          yield item;
        }
      }
      await overlap(read(), async (item) => {
        for (let turn = 0; turn < (turns[item]?.[1] ?? 0); turn += 1) await setImmediate();
        written.push(item);
        live -= 1;
      });
      expect(written).toEqual(turns.map((_, item) => item));
    }),
  );
});
