import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { instantFromMicros, instantMicros } from './instant.ts';
import type { Window } from './load.ts';
import {
  differenceOf,
  leafRowsMax,
  narrow,
  nextWindows,
  repairWindows,
  shareOf,
  suspects,
  type Comparison,
  type Partition,
  type RangeDigest,
} from './integrity.ts';

/** Rows as last-modified micros and a hash each; the infinities are beyond every finite one. */
type Rows = readonly (readonly [at: bigint, hash: bigint])[];

const infinity = instantMicros('infinity');

function digest(rows: Rows, { after, upTo }: Window): RangeDigest {
  const from = after === undefined ? -2n * infinity : instantMicros(after);
  const to = upTo === undefined ? 2n * infinity : instantMicros(upTo);
  const inside = rows.filter(([at]) => at >= from && at < to);
  const finite = inside.map(([at]) => at).filter((at) => at > -infinity && at < infinity);
  const sorted = finite.toSorted((a, b) => Number(a > b) - Number(a < b));
  const [least, greatest] = [sorted.at(0), sorted.at(-1)];
  return {
    rows: inside.length,
    hash: String(inside.reduce((sum, [, hash]) => sum + hash, 0n)),
    least: least === undefined ? undefined : instantFromMicros(least),
    greatest: greatest === undefined ? undefined : instantFromMicros(greatest),
  };
}

function compareAll(source: Rows, destination: Rows): Comparison {
  const look = (windows: readonly Window[]) =>
    windows.map((window): Partition => ({
      window,
      source: digest(source, window),
      destination: digest(destination, window),
    }));
  let comparison = narrow({ open: [], leaves: [], level: 0 }, look([whole]));
  while (comparison.open.length > 0) {
    comparison = narrow(comparison, look(nextWindows(comparison)));
    expect(comparison.level).toBeLessThan(20);
  }
  return comparison;
}

const whole = { after: undefined, upTo: undefined };
const start = instantMicros('2026-01-01');
const many = (count: number, stepMicros: bigint): Rows =>
  Array.from({ length: count }, (_, n) => [start + BigInt(n) * stepMicros, BigInt(n * 7919)]);

describe('narrowing', () => {
  test('equal ends are found equal by one look', () => {
    expect(compareAll(many(9000, 1000n), many(9000, 1000n))).toEqual({
      open: [],
      leaves: [],
      level: 1,
    });
  });

  test('one row that differs among many ends in one small partition around it', () => {
    const rows = many(9000, 1_000_000n);
    const other = rows.map(([at, hash], n) => [at, n === 4321 ? hash + 1n : hash] as const);
    const { leaves } = compareAll(rows, other);
    expect(leaves).toHaveLength(1);
    expect(leaves[0]?.source.rows).toBeLessThanOrEqual(leafRowsMax);
  });

  test('rows on one instant, and rows without a finite one, cannot be cut and end as they are', () => {
    const tied: Rows = Array.from({ length: 3 * leafRowsMax }, (_, n) => [start, BigInt(n)]);
    const never: Rows = Array.from({ length: 3 * leafRowsMax }, (_, n) => [infinity, BigInt(n)]);
    const { leaves } = compareAll([...tied, ...never], [...tied.slice(1), ...never.slice(1)]);
    expect(leaves.map(({ source }) => source.rows)).toEqual([tied.length, never.length]);
  });

  test('whatever differs is in a partition that is left, and what is left is no more than small ones', () => {
    const instants = fc.oneof(
      fc.bigInt({ min: start, max: start + 10n ** 15n }),
      fc.constantFrom(start, start + 1n, infinity, -infinity),
    );
    const rowsOf = fc.array(fc.tuple(instants, fc.bigInt({ min: 1n, max: 10n ** 9n })), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(rowsOf, rowsOf, rowsOf, (shared, here, there) => {
        const bulk = [...many(leafRowsMax + 1, 37n), ...shared];
        const { leaves } = compareAll([...bulk, ...here], [...bulk, ...there]);
        const differs = digest(here, whole).hash !== digest(there, whole).hash;
        if (differs) expect(leaves).not.toEqual([]);
        for (const [at] of [...here, ...there]) {
          if (at === infinity || at === -infinity) continue;
          const exact = { after: instantFromMicros(at), upTo: instantFromMicros(at + 1n) };
          const isSame = digest(here, exact).hash === digest(there, exact).hash;
          const isLeft = leaves.some(({ window }) => digest([[at, 1n]], window).rows === 1);
          if (!isSame) expect(isLeft).toBe(true);
        }
      }),
      { numRuns: 10 },
    );
  });
});

describe('one key', () => {
  const row = (hash: string, at = '2026-01-01') => ({ key: ['1'], hash, lastModified: at });
  test.each([
    ['the same at both ends is no difference', row('a'), row('a'), undefined],
    ['landed and not there is missing', row('a'), undefined, 'missing'],
    ['landed and otherwise is incorrect', row('a'), row('b'), 'incorrect'],
    ['not landed yet and not there is pending', row('a', '2026-03-01'), undefined, 'pending'],
    ['changed since and otherwise is stale', row('a', '2026-03-01'), row('b'), 'stale'],
    [
      'stamped on the watermark itself has not landed',
      row('a', '2026-02-01'),
      undefined,
      'pending',
    ],
    ['gone from the source is orphaned', undefined, row('b'), 'orphaned'],
    ['gone from both meanwhile is nothing', undefined, undefined, undefined],
  ] as const)('%s', (_, source, destination, difference) => {
    expect(differenceOf({ source, destination }, '2026-02-01')).toBe(difference);
  });

  test('where nothing has landed nothing is missing', () => {
    expect(differenceOf({ source: row('a'), destination: undefined }, undefined)).toBe('pending');
  });

  test('what is not at both ends alike is looked at again, once', () => {
    const marks = (...all: string[]) => all.map((text) => ({ key: [text[0] ?? ''], hash: text }));
    expect(suspects(marks('a1', 'b1', 'c1'), marks('a1', 'b2', 'd1'))).toEqual([
      ['b'],
      ['c'],
      ['d'],
    ]);
  });
});

describe('repair', () => {
  const partition = (least: string, greatest: string): Partition => ({
    window: whole,
    source: { rows: 1, hash: '1', least, greatest },
    destination: { rows: 0, hash: '0', least: undefined, greatest: undefined },
  });
  const parts = [
    partition('2026-01-05', '2026-01-06'),
    partition('2026-01-01', '2026-01-01'),
    partition('2026-01-09', '2026-01-09'),
  ];

  test('covers each partition up to its last row, in order', () => {
    expect(repairWindows(parts, 9)[0]).toEqual({
      after: '2026-01-01 00:00:00.000000+00',
      upTo: '2026-01-01 00:00:00.000001+00',
    });
    expect(repairWindows(parts, 9)).toHaveLength(3);
  });

  test('joins those that lie closest where there are too many', () => {
    expect(repairWindows(parts, 2)).toEqual([
      { after: '2026-01-01 00:00:00.000000+00', upTo: '2026-01-01 00:00:00.000001+00' },
      { after: '2026-01-05 00:00:00.000000+00', upTo: '2026-01-09 00:00:00.000001+00' },
    ]);
  });

  test('one row in so many is compared where more differ than may be compared', () => {
    expect([shareOf(parts, 3), shareOf(parts, 2)]).toEqual([1, 2]);
  });
});
