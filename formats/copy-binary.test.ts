import { expect, test } from 'vitest';
import { cutCopyBinary } from './copy-binary.ts';
import type { BinaryCursorType } from './binary-value.ts';

const header = `${Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1').toString('hex')}${'00'.repeat(8)}`;

async function cut(hex: string, cursorTypes: BinaryCursorType[] = ['int2']) {
  async function* stream(): AsyncGenerator<Buffer> {
    yield Buffer.from(hex, 'hex');
  }
  return Array.fromAsync(
    cutCopyBinary(stream(), { batchBytesMax: 1e6, batchRowsMax: 1e6, cursorTypes }),
  );
}

test('no rows are 21 bytes and no batch', async () => {
  expect(await cut(`${header}ffff`)).toEqual([]);
});

test('rows of no fields and null fields are rows', async () => {
  expect(await cut(`${header}00000000ffff`, [])).toMatchObject([{ rows: 2, cursor: [] }]);
  expect(await cut(`${header}0001ffffffffffff`)).toMatchObject([
    { rows: 1, bytes: 27, cursor: [null] },
  ]);
});

test.each([
  ['another signature', '00'.repeat(19)],
  ['flags in the header', `${header.slice(0, 22)}00010000${'00'.repeat(4)}ffff`],
  ['an impossible field count', `${header}fffe`],
  ['an impossible field length', `${header}0001fffffffe`],
  ['bytes after the trailer', `${header}ffff00`],
  ['a value of another length than its type', `${header}0001000000010affff`],
])('%s is refused', async (_what, hex) => {
  await expect(cut(hex)).rejects.toMatchObject({ kind: 'unclassified' });
});

test('a length beyond the limit is refused before any of it arrives', async () => {
  await expect(cut(`${header}00017fffffff`)).rejects.toMatchObject({ kind: 'limit_reached' });
});
