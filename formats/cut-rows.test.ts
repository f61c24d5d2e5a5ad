import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../domain/failure.ts';
import { cutCopyBinary } from './copy-binary.ts';
import { cutCopyText, encodeCopyTextRow } from './copy-text.ts';
import type { CutBatch, CutLimits } from './cut-rows.ts';

type Row = readonly (string | null)[];

/** Both formats for rows of text values whose first two fields are the cursor. */
const formats = {
  text: {
    header: Buffer.alloc(0),
    trailer: Buffer.alloc(0),
    row: encodeCopyTextRow,
    cut: (stream: AsyncIterable<Buffer>, limits: CutLimits) =>
      cutCopyText(stream, { ...limits, cursorFields: 2 }),
  },
  binary: {
    header: Buffer.from(`PGCOPY\n\xff\r\n\0${'\0'.repeat(8)}`, 'latin1'),
    trailer: Buffer.from([0xff, 0xff]),
    row: binaryRow,
    cut: (stream: AsyncIterable<Buffer>, limits: CutLimits) =>
      cutCopyBinary(stream, { ...limits, cursorTypes: ['text', 'varchar'] }),
  },
};
type Format = (typeof formats)[keyof typeof formats];

function binaryRow(row: Row): Buffer {
  const count = Buffer.alloc(2);
  count.writeInt16BE(row.length);
  return Buffer.concat([count, ...row.map(binaryField)]);
}

function binaryField(value: string | null): Buffer {
  const bytes = Buffer.from(value ?? '');
  const length = Buffer.alloc(4);
  length.writeInt32BE(value === null ? -1 : bytes.length);
  return Buffer.concat([length, bytes]);
}

function encode(format: Format, rows: readonly Row[]): Buffer {
  return Buffer.concat([format.header, ...rows.map(format.row), format.trailer]);
}

async function* pieces(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

const wide: CutLimits = { batchBytesMax: 1e9, batchRowsMax: 1e9 };

async function failureOf(
  batches: AsyncIterable<CutBatch>,
): Promise<{ given: number; failure: Failure }> {
  let given = 0;
  try {
    for await (const batch of batches) given += batch.rows;
  } catch (error) {
    if (error instanceof Failure) return { given, failure: error };
    throw error;
  }
  throw new Error('it did not fail');
}

const value = fc.option(fc.string({ unit: 'binary', maxLength: 20 }), { freq: 5 });
const rowsOfOneWidth = fc
  .integer({ min: 2, max: 5 })
  .chain((width) =>
    fc.array(fc.array(value, { minLength: width, maxLength: width }), { maxLength: 25 }),
  );

describe.each(Object.entries(formats))('%s', (_name, format) => {
  const three = [
    ['a', '1', 'x'],
    ['b', '2', 'y'],
    ['c', '3', 'z'],
  ];
  const rowBytes = format.row(three[0] ?? []).length;
  const frameBytes = format.header.length + format.trailer.length;

  test('batches joined are the stream, each is whole, and each cursor is that of its last row', async () => {
    const limit = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.constant(1e9));
    const scene = fc.record({
      rows: rowsOfOneWidth,
      chunkSizes: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 4 }),
      batchBytesMax: limit,
      batchRowsMax: limit,
    });
    await fc.assert(
      fc.asyncProperty(scene, async ({ rows, chunkSizes, ...limits }) => {
        const counted: number[] = [];
        const verifyEnd = (count: number) => void counted.push(count);
        const stream = pieces(encode(format, rows), chunkSizes);
        let seen = 0;
        for await (const batch of format.cut(stream, { ...limits, verifyEnd })) {
          const own = rows.slice(seen, seen + batch.rows);
          seen += batch.rows;
          const bytes = Buffer.concat(batch.chunks);
          expect(bytes).toEqual(encode(format, own));
          expect(batch.bytes).toBe(bytes.length);
          expect(batch.cursor).toEqual(own.at(-1)?.slice(0, 2));
          const rowsBytes = batch.bytes - frameBytes;
          const keepsLimits =
            batch.rows <= limits.batchRowsMax && rowsBytes <= limits.batchBytesMax;
          expect(batch.rows === 1 || keepsLimits).toBe(true);
        }
        expect(seen).toBe(rows.length);
        expect(counted).toEqual([rows.length]);
      }),
      { numRuns: 300 },
    );
  });

  test('a stream that is cut short anywhere gives out whole rows and then fails', async () => {
    const bytes = encode(format, three);
    // A text that stops at a row border looks whole: that is what `verifyEnd` is for.
    const borders = format.trailer.length > 0 ? [] : [0, rowBytes, 2 * rowBytes];
    for (let length = 0; length < bytes.length; length += 1) {
      if (borders.includes(length)) continue;
      const batches = format.cut(pieces(bytes.subarray(0, length), [7]), {
        ...wide,
        batchRowsMax: 1,
      });
      const { given, failure } = await failureOf(batches);
      expect(failure.kind, `${length} bytes`).toBe('source_unreachable');
      expect(given).toBeLessThanOrEqual(Math.floor(length / rowBytes));
    }
  });

  test('the last batch waits for verifyEnd, and is not given out when that throws', async () => {
    const limits = {
      ...wide,
      batchRowsMax: 1,
      verifyEnd: async () => Promise.reject(new Failure('bug', 'counts')),
    };
    const { given, failure } = await failureOf(
      format.cut(pieces(encode(format, three), [1]), limits),
    );
    expect([given, failure.message]).toEqual([2, 'counts']);
  });

  test('a full batch is given out as soon as the next row has begun, not before', async () => {
    const bytes = encode(format, three);
    const border = format.header.length + rowBytes;
    const chunks = [
      bytes.subarray(0, border),
      bytes.subarray(border, border + 3),
      bytes.subarray(border + 3),
    ];
    let handedOut = 0;
    async function* stream(): AsyncGenerator<Buffer> {
      for (const chunk of chunks) {
        handedOut += 1;
        yield chunk;
      }
    }
    const batches = format.cut(stream(), { ...wide, batchRowsMax: 1 });
    await batches.next();
    expect(handedOut).toBe(2);
    await batches.return();
  });

  test('stopping early closes the stream', async () => {
    let closed = false;
    async function* stream(): AsyncGenerator<Buffer> {
      try {
        yield* pieces(encode(format, three), [5]);
      } finally {
        closed = true;
      }
    }
    for await (const _ of format.cut(stream(), { ...wide, batchRowsMax: 1 })) break;
    expect(closed).toBe(true);
  });

  test('a failing stream fails with its own error', async () => {
    async function* stream(): AsyncGenerator<Buffer> {
      yield encode(format, three).subarray(0, 30);
      throw new Error('connection lost');
    }
    await expect(Array.fromAsync(format.cut(stream(), wide))).rejects.toThrow('connection lost');
  });

  test('a row over the limit is refused before the rest of it is read', async () => {
    let read = 0;
    async function* stream(): AsyncGenerator<Buffer> {
      for await (const chunk of pieces(encode(format, [['a', '1', 'x'.repeat(100_000)]]), [100])) {
        read += chunk.length;
        yield chunk;
      }
    }
    const { failure } = await failureOf(format.cut(stream(), { ...wide, rowBytesMax: 1_000 }));
    expect(failure.kind).toBe('limit_reached');
    expect(read).toBeLessThanOrEqual(1_100);
  });

  test('a row larger than a batch travels alone', async () => {
    const rows = [
      ['a', '1'],
      ['b', 'x'.repeat(5_000)],
      ['c', '3'],
    ];
    const batches = format.cut(pieces(encode(format, rows), [64]), {
      ...wide,
      batchBytesMax: 1_000,
      prefixBytesMax: 9_000,
    });
    expect((await Array.fromAsync(batches)).map((batch) => batch.rows)).toEqual([1, 1, 1]);
  });

  test.each([64, 100_000])(
    'a cursor longer than the prefix is refused (chunks of %d)',
    async (size) => {
      const stream = pieces(encode(format, [['a', 'k'.repeat(5_000), 'x']]), [size]);
      const { failure } = await failureOf(format.cut(stream, wide));
      expect([failure.kind, failure.code]).toEqual(['limit_reached', 'KEYS']);
    },
  );

  test('a long row with a short cursor is none', async () => {
    const stream = pieces(encode(format, [['a', '1', 'x'.repeat(50_000)]]), [999]);
    const [batch] = await Array.fromAsync(format.cut(stream, wide));
    expect(batch?.cursor).toEqual(['a', '1']);
  });

  test('a row with fewer fields than the cursor is refused', async () => {
    const { failure } = await failureOf(format.cut(pieces(encode(format, [['a']]), [100]), wide));
    expect(failure.kind).toBe('unclassified');
  });

  test('the bytes of a batch are views, not copies', async () => {
    const bytes = Buffer.concat([encode(format, [['a', '1', 'x'.repeat(100_000)]])]);
    const [batch] = await Array.fromAsync(format.cut(pieces(bytes, [1e6]), wide));
    expect(batch?.chunks.some((chunk) => chunk.buffer === bytes.buffer)).toBe(true);
  });
});
