import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Failure } from '../../domain/failure.ts';
import type { Reach } from '../connector.ts';
import {
  directReach,
  Ends,
  epochOf,
  going,
  modelOf,
  settingsOf,
} from '../../test/harness/postgres-ends.ts';
import { openDestination } from './destination.ts';

const rows = 3000;
const cuts = 40;
const table = modelOf([
  ['at', 'timestamp', 'last_modified'],
  ['id', 'integer', 'key'],
  ['note', 'string'],
]);

let ends: Ends;

beforeAll(async () => {
  ends = await Ends.create();
  await ends.source.query(
    'create table things (tenant text, at timestamptz, id int primary key, note text)',
  );
  await ends.source.query(
    `insert into things select 'acme', timestamptz '2026-01-01' + n / 5 * interval '1 ms', n, repeat('x', n % 90)
      from generate_series(1, ${rows}) n`,
  );
});
afterAll(() => ends[Symbol.asyncDispose]());

/** A way out whose connections break once so many bytes have gone in and out. */
function cutReach(bytesMax: number): Reach {
  let left = bytesMax;
  const spend = (socket: Socket, bytes: number) => {
    left -= bytes;
    if (left < 0) socket.destroy();
  };
  return {
    socket: async (target) => {
      const socket = await directReach.socket(target);
      socket.on('data', (chunk) => spend(socket, chunk.length));
      const write = socket.write.bind(socket) as (...all: unknown[]) => boolean;
      const counted = (chunk: string | Uint8Array, ...rest: unknown[]) => {
        spend(socket, chunk.length);
        return write(chunk, ...rest);
      };
      return Object.assign(socket, { write: counted });
    },
  };
}

/** One attempt from opening to the end, over a connection that is cut. @returns what stopped it */
async function attempt(
  number: number,
  plan: { mode: 'merge' | 'replace'; transferId: string },
  bytesMax: number,
) {
  await using source = ends.openSource();
  await using destination = openDestination(
    { ...settingsOf(ends.to), schema: 'landed' },
    cutReach(bytesMax),
  );
  try {
    const load = await destination.open(
      ends.plan(table, { ...plan, epoch: epochOf(1, number) }),
      going,
    );
    const { resumeAfter } = load.progress;
    const request = ends.request(table, { resumeAfter, batchRowsMax: 200 });
    for await (const batch of source.read(request, going)) await load.write(batch, going);
    await load.finish(ends.close(), going);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(Failure);
    return (error as Failure).kind;
  }
}

async function expectEqual(): Promise<void> {
  const query = (from: string) =>
    `select count(*)::int as rows, md5(string_agg(id || ':' || at || note, ',' order by id)) as hash from ${from}`;
  const { rows: expected } = await ends.source.query(query('things'));
  const { rows: landed } = await ends.destination.query(query('landed.things'));
  expect(landed).toEqual(expected);
}

test.each([
  ['a first load', 'replace', 'first'],
  ['a refresh over a live table', 'replace', 'refresh'],
  ['a merge', 'merge', 'merge'],
] as const)('%s whose connection breaks at any byte ends equal', async (_, mode, transferId) => {
  if (transferId !== 'first') {
    await ends.source.query(
      `update things set note = note || '${transferId}', at = at + interval '1 day' where id % 2 = 0`,
    );
    if (mode === 'replace') await ends.source.query('delete from things where id % 9 = 0');
  }
  const base = { first: 0, refresh: 1000, merge: 2000 }[transferId];
  const kinds = new Set<string>();
  let isDone = false;
  for (let cut = 1; cut <= cuts && !isDone; cut += 1) {
    // Spread over the whole of an attempt, early and late, always the same.
    const kind = await attempt(base + cut, { mode, transferId }, 1500 + ((cut * 7919) % 60_000));
    isDone = kind === undefined;
    if (kind !== undefined) kinds.add(kind);
  }
  expect(await attempt(base + 999, { mode, transferId }, Infinity)).toBeUndefined();
  expect([...kinds]).toEqual(['destination_unreachable']);
  await expectEqual();
});
