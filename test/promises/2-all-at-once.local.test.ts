// Promise 2: nothing is doubled and nothing goes back, also where two attempts run at once, and where
// somebody else changes the hidden table of a load between its copying and its publishing.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Ends } from '../harness/postgres-ends.ts';
import { createSource, kinds, Lane, type Kind } from './2-lane.ts';

let ends: Ends;
let lanes = 0;

beforeAll(async () => {
  ends = await Ends.create();
  await createSource(ends);
});

afterAll(() => ends[Symbol.asyncDispose]());

async function createLane(kind: Kind): Promise<Lane> {
  lanes += 1;
  const lane = new Lane(ends, { name: `at_once_${lanes}`, kind });
  await lane.begin();
  await lane.change('two');
  return lane;
}

async function expectRight(lane: Lane): Promise<void> {
  expect((await lane.state()).rows).toEqual(await lane.rowsAtSource());
  expect(await lane.leftovers()).toEqual([]);
}

describe.each(kinds)('%s that runs', (kind) => {
  test.each([
    ['twice at once under one epoch', [1, 1]],
    ['twice at once, the younger second', [1, 2]],
    ['twice at once, the younger first', [2, 1]],
    ['four times at once', [1, 2, 1, 2]],
  ])('%s leaves each row once', async (_, attempts) => {
    const lane = await createLane(kind);
    const all = attempts.map((attempt) => lane.transfer({ transfer: 2, attempt }));
    const ended = await Promise.allSettled(all);
    for (const end of ended) {
      if (end.status === 'rejected') expect(end.reason).toMatchObject({ name: 'Failure' });
    }
    // Whatever each of them came to, the next one brings it to its end.
    await lane.change('three');
    await lane.transfer({ transfer: 3 });
    await expectRight(lane);
  });
});

describe.each(['a first load', 'a full refresh'] as const)('the hidden table of %s', (kind) => {
  test.each([
    ['with a row put in', `insert into HIDDEN values (-1, now(), 'theirs')`],
    ['with a row put twice', 'insert into HIDDEN select * from HIDDEN limit 1'],
    ['with a column added', 'alter table HIDDEN add theirs int not null default 1'],
    ['with a column of another type', 'alter table HIDDEN alter id type text'],
    ['renamed', 'alter table HIDDEN rename to theirs_LANE'],
    [
      'replaced',
      `create table landed.theirs_LANE as table HIDDEN; drop table HIDDEN;
        alter table landed.theirs_LANE rename to NAME`,
    ],
  ])('%s never makes the live one worse', async (_, statement) => {
    const lane = await createLane(kind);
    const before = kind === 'a first load' ? undefined : (await lane.state()).rows;
    await lane.take(1, { transfer: 2 });
    const hidden = await lane.hidden();
    await ends.destination.query(
      statement
        .replaceAll('HIDDEN', hidden)
        .replaceAll('LANE', lane.name)
        .replaceAll('NAME', hidden.slice('landed.'.length)),
    );
    const end = await lane.take(2, { transfer: 2 }).then(
      () => 'published',
      (error: unknown) => error,
    );
    const after = await lane.state().catch(() => ({ rows: undefined }));
    if (end === 'published') expect.soft(after.rows).toEqual(await lane.rowsAtSource());
    else {
      expect.soft(end).toMatchObject({ kind: 'schema_conflict' });
      expect.soft(after.rows).toEqual(before);
    }
    await lane.transfer({ transfer: 3, mode: 'replace' });
    expect((await lane.state()).rows).toEqual(await lane.rowsAtSource());
  });
});
