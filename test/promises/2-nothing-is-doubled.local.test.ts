// Promise 2: nothing is doubled and nothing goes back. There is one row per key, and what a later read of the
// source saw is never overwritten by what an earlier one saw, wherever an attempt is frozen, cut or doubled.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mapLimit } from '../../lib/map-limit.ts';
import { Ends } from '../harness/postgres-ends.ts';
import { createSource, kinds, Lane, type Kind } from './2-lane.ts';
import { Wire, type Blow } from './2-wire.ts';

let ends: Ends;
let lanes = 0;

beforeAll(async () => {
  ends = await Ends.create();
  await createSource(ends);
});

afterAll(() => ends[Symbol.asyncDispose]());

async function createLane(kind: Kind): Promise<Lane> {
  lanes += 1;
  const lane = new Lane(ends, { name: `lane_${lanes}`, kind });
  await lane.begin();
  await lane.change('two');
  return lane;
}

/** How many messages an undisturbed attempt sends. */
async function countMessages(kind: Kind): Promise<number> {
  const lane = await createLane(kind);
  const wire = new Wire('frozen', Infinity);
  await lane.transfer({ transfer: 2, reach: wire.reach });
  expect((await lane.state()).rows).toEqual(await lane.rowsAtSource());
  return wire.sent;
}

/** Hits one message of an attempt. @returns how the attempt ends, and where it was hit, for a failing test */
async function strike(lane: Lane, blow: Blow, number: number) {
  const wire = new Wire(blow, number);
  const ended = lane.transfer({ transfer: 2, reach: wire.reach }).then(
    () => 'done',
    (error: unknown) => (error instanceof Error ? error.name : 'no error'),
  );
  const message = await wire.hit.promise;
  const where = `${lane.kind}, ${blow} at ${number}: ${message.replaceAll(/[^ -~]+/g, ' ').slice(0, 200)}`;
  return { wire, ended, where };
}

/** As many as the test server has room for; most of the time goes by waiting for the frozen to time out. */
const lanesAtOnce = 40;
/** For what hangs: a hundred attempts on a machine that may be busy. */
const patienceMs = 180_000;

async function strikeEach(work: (kind: Kind, number: number) => Promise<void>): Promise<void> {
  const strikes: (() => Promise<void>)[] = [];
  for (const kind of kinds) {
    const messages = await countMessages(kind);
    for (let number = 1; number <= messages; number += 1) strikes.push(() => work(kind, number));
  }
  await mapLimit(strikes, lanesAtOnce, (strike) => strike());
}

test(
  'an attempt frozen before any of its messages and woken two transfers later changes nothing',
  async () => {
    await strikeEach(async (kind, number) => {
      const lane = await createLane(kind);
      const { wire, ended, where } = await strike(lane, 'frozen', number);
      await lane.change('three');
      await lane.goOn(2);
      await lane.change('four');
      await lane.transfer({ transfer: 3, mode: 'merge' });
      const before = await lane.state();
      expect(before.rows, where).toEqual(await lane.rowsAtSource());
      wire.thaw();
      expect(await ended, where).toBeOneOf(['done', 'Failure']);
      expect(await lane.state(), where).toEqual(before);
      expect(await lane.leftovers(), where).toEqual([]);
    });
  },
  patienceMs,
);

test(
  'an attempt whose answer is lost after any of its messages is followed by one that ends right',
  async () => {
    await strikeEach(async (kind, number) => {
      const lane = await createLane(kind);
      const { ended, where } = await strike(lane, 'unanswered', number);
      expect(await ended, where).toBeOneOf(['done', 'Failure']);
      await lane.goOn(2);
      expect((await lane.state()).rows, where).toEqual(await lane.rowsAtSource());
      // What is over and done leaves its hidden table, where the answer to its removal was lost, to the next.
      await lane.transfer({ transfer: 3, mode: 'merge' });
      expect(await lane.leftovers(), where).toEqual([]);
    });
  },
  patienceMs,
);
