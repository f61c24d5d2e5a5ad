import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../domain/failure.ts';
import {
  MessageCutter,
  messageBodies,
  wrapInMessages,
  type CutBatch,
  type CutOptions,
} from './copy-messages.ts';

const header = Buffer.from(`PGCOPY\n\xff\r\n\0${'\0'.repeat(8)}`, 'latin1');
const trailer = Buffer.from([0xff, 0xff]);
const end = Buffer.concat([message('c', ''), message('C', 'COPY 3\0')]);
const wide = { batchBytesMax: 1e9, batchRowsMax: 1e9 };

function message(type: string, body: Buffer | string): Buffer {
  const bytes = Buffer.from(body);
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeUInt32BE(bytes.length + 4, 1);
  return Buffer.concat([head, bytes]);
}

/** What a server answers: the header of a binary copy rides with the first row, or with the trailer. */
function answer(
  format: CutOptions['format'],
  rows: readonly Buffer[],
  between: readonly string[] = [],
): Buffer {
  const isBinary = format === 'binary';
  const bodies = isBinary ? [...rows, trailer] : rows;
  const messages = bodies.map((body, index) =>
    message('d', isBinary && index === 0 ? Buffer.concat([header, body]) : body),
  );
  const noise = between.map((type) => message(type, 'a notice'));
  return Buffer.concat([
    message('H', 'formats'),
    ...messages.flatMap((one) => [one, ...noise]),
    end,
  ]);
}

function cut(bytes: Buffer, options: CutOptions, sizes: readonly number[] = [1e9]) {
  const cutter = new MessageCutter(options);
  const batches: CutBatch[] = [];
  const rest: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    // A copy, as from a socket: the cutter may write into what it was given.
    const chunk = Buffer.from(bytes.subarray(at, at + size));
    if (cutter.rest === undefined) batches.push(...cutter.add(chunk));
    else rest.push(chunk);
    at += size;
  }
  const last = cutter.end();
  if (last !== undefined) batches.push(last);
  return { batches, rest: Buffer.concat([cutter.rest ?? Buffer.alloc(0), ...rest]), cutter };
}

/** The rows of a batch, which in binary must stand between a header and a trailer of its own. */
function rowsIn(format: CutOptions['format'], batch: CutBatch): Buffer[] {
  const bodies = [...messageBodies(batch.chunks)];
  if (format === 'text') return bodies;
  expect([bodies[0], bodies.at(-1)]).toEqual([header, trailer]);
  return bodies.slice(1, -1);
}

// Every row has a field count, so that none is as short as the trailer.
const row = fc.uint8Array({ minLength: 6, maxLength: 40 }).map((bytes) => Buffer.from(bytes));

describe.each(['text', 'binary'] as const)('%s', (format) => {
  test('out of chunks of any size come batches within the limits, whose rows are those of the server', () => {
    const input = {
      rows: fc.array(row, { maxLength: 30 }),
      between: fc.constantFrom([], ['N'], ['S', 'A']),
      batchRowsMax: fc.integer({ min: 1, max: 9 }),
      batchBytesMax: fc.integer({ min: 1, max: 200 }),
      sizes: fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 5 }),
    };
    fc.assert(
      fc.property(fc.record(input), ({ rows, between, batchRowsMax, batchBytesMax, sizes }) => {
        const bytes = answer(format, rows, between);
        const limits = { format, batchRowsMax, batchBytesMax };
        const { batches, rest, cutter } = cut(bytes, limits, sizes);
        expect(batches.flatMap((batch) => rowsIn(format, batch))).toEqual(rows);
        expect(rest).toEqual(end);
        expect(cutter.rowsTotal).toBe(rows.length);
        for (const batch of batches) {
          const inside = rowsIn(format, batch);
          expect(batch.rows).toBe(inside.length);
          expect(batch.bytes).toBe(Buffer.concat(inside).length);
          expect(batch.lastRow).toEqual(inside.at(-1));
          expect(batch.rows).toBeLessThanOrEqual(batchRowsMax);
          if (batch.rows > 1) expect(batch.bytes).toBeLessThanOrEqual(batchBytesMax);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('a full batch is given out as soon as the next row has begun, not before', () => {
    const rows = ['first-', 'second', 'third-'].map((text) => Buffer.from(text));
    const bytes = answer(format, rows);
    const third = bytes.indexOf('third-');
    const cutter = new MessageCutter({ format, ...wide, batchRowsMax: 2 });
    expect([...cutter.add(Buffer.from(bytes.subarray(0, third - 5)))]).toEqual([]);
    expect([...cutter.add(Buffer.from(bytes.subarray(third - 5, third)))]).toMatchObject([
      { rows: 2 },
    ]);
  });

  test('a row larger than a batch travels alone', () => {
    const rows = ['small-', 'l'.repeat(5000), 'small-'].map((text) => Buffer.from(text));
    const limits = { format, batchRowsMax: 9, batchBytesMax: 20 };
    const { batches } = cut(answer(format, rows), limits, [64]);
    expect(batches.map(({ bytes }) => bytes)).toEqual([6, 5000, 6]);
    expect(batches[1]?.lastRow).toHaveLength(4096);
  });

  test('a row over the limit is refused before any of it is kept', () => {
    const cutter = new MessageCutter({ format, ...wide, rowBytesMax: 100 });
    const bytes = answer(format, [Buffer.from('within'), Buffer.alloc(101, 'x')]);
    const begun = bytes.subarray(0, bytes.indexOf('xxx'));
    expect(() => [...cutter.add(Buffer.from(begun))]).toThrow(
      expect.objectContaining({ kind: 'limit_reached' }),
    );
  });

  test('an error of the server ends the rows and goes on to whoever reads it', () => {
    const error = message('E', 'SFATAL\0C57P01\0\0');
    const bytes = Buffer.concat([message('H', 'formats'), error]);
    const { batches, rest } = cut(bytes, { format, ...wide }, [3]);
    expect([batches, rest]).toEqual([[], error]);
  });

  test('a message that does not belong into a copy is refused', () => {
    const bytes = Buffer.concat([message('H', 'formats'), message('T', 'secret')]);
    expect(() => cut(bytes, { format, ...wide })).toThrow(Failure);
    expect(() => cut(bytes, { format, ...wide })).not.toThrow(/secret/);
  });
});

test.each([
  ['another signature', Buffer.alloc(19)],
  ['flags', Buffer.concat([header.subarray(0, 11), Buffer.from([0, 1, 0, 0, 0, 0, 0, 0])])],
])('a binary copy with %s in its header is refused', (_what, wrong) => {
  const bytes = message('d', Buffer.concat([wrong, Buffer.from('a row')]));
  expect(() => cut(bytes, { format: 'binary', ...wide })).toThrow(
    expect.objectContaining({ kind: 'unclassified' }),
  );
});

test('the bytes of a batch are views, not copies', () => {
  const bytes = answer('text', [Buffer.from('a row that is here'), Buffer.from('another')]);
  const cutter = new MessageCutter({ format: 'text', ...wide });
  expect([...cutter.add(bytes)]).toEqual([]);
  const chunk = cutter.end()?.chunks[0];
  expect(chunk?.buffer).toBe(bytes.buffer);
});

test('plain bytes travel in messages, and come out of them again', () => {
  const chunks = [Buffer.from('one\n'), Buffer.from('two\nthree\n')];
  expect([...messageBodies(wrapInMessages(chunks))]).toEqual(chunks);
});
