import { describe, expect, test } from 'vitest';
import { diff } from './compare.ts';
import { MessageReader } from './message-reader.ts';
import { parseTortureOptions } from './options.ts';
import { planCampaign } from './plan.ts';
import { recoveries } from './recovery.ts';

describe('a plan', () => {
  const size = { faults: 100, seed: 7, faultsPerRound: 40 };

  test('is the same for the same seed, and another for another', () => {
    expect(planCampaign(size)).toEqual(planCampaign(size));
    expect(planCampaign({ ...size, seed: 8 })).not.toEqual(planCampaign(size));
  });

  test('has the faults that were asked for, in the order of their instants', () => {
    const rounds = planCampaign(size);
    expect(rounds.map(({ faults }) => faults.length)).toEqual([40, 40, 20]);
    for (const { faults, lastsMs } of rounds) {
      const instants = faults.map(({ atMs }) => atMs);
      expect(instants).toEqual(instants.toSorted((a, b) => a - b));
      expect(instants.at(-1)).toBeLessThan(lastsMs);
    }
  });

  test('of a thousand faults has every kind many times', () => {
    const rounds = planCampaign({ ...size, faults: 1000 });
    const kinds = rounds.flatMap(({ faults }) => faults.map(({ kind }) => kind));
    const counts = [...new Set(kinds)].map((kind) => kinds.filter((each) => each === kind).length);
    expect(counts).toHaveLength(20);
    expect(Math.min(...counts)).toBeGreaterThan(8);
  });
});

describe('the comparison names', () => {
  const row = (key: string, hash = 'same', whose = 'acme') => ({ key, hash, whose });
  const check = (source: object[], landed: object[], isExact = true) =>
    diff(source as never, landed as never, { tenant: 'acme', place: 'acme.orders', isExact });

  test.each([
    ['nothing where both are equal', [row('1')], [row('1')], []],
    ['a row that is missing', [row('1')], [], ['acme.orders: 1 rows are missing, such as 1']],
    ['a row that differs', [row('1')], [row('1', 'x')], ['acme.orders: 1 rows differ, such as 1']],
    [
      'a key that is there twice',
      [row('1')],
      [row('1'), row('1')],
      ['acme.orders: 1 keys are there twice, such as 1'],
    ],
    [
      'a row of another tenant',
      [row('1')],
      [row('1', 'same', 'globex')],
      ['acme.orders: 1 rows belong to somebody else, such as 1'],
    ],
    ['a row too many', [], [row('1')], ['acme.orders: 1 rows are gone from the source, such as 1']],
  ])('%s', (_, source, landed, said) => {
    expect(check(source, landed)).toEqual(said);
  });

  test('no deleted row before a full refresh', () => {
    expect(check([], [row('1')], false)).toEqual([]);
  });
});

test('the statements of a client are read from pieces of any length', () => {
  const message = (type: string, body: string) => {
    const bytes = Buffer.from(`${type}....${body}`);
    bytes.writeInt32BE(bytes.length - 1, 1);
    return bytes;
  };
  const startup = Buffer.from([0, 0, 0, 9, 0, 3, 0, 0, 0]);
  const stream = Buffer.concat([
    startup,
    message('Q', 'begin; copy a from stdin\0'),
    message('d', '1\trow'),
    message('P', 'named\0select $1\0\0\0'),
    message('Q', 'commit\0'),
  ]);
  for (const size of [1, 2, 7, 1000]) {
    const said: string[] = [];
    const reader = new MessageReader((text) => said.push(text));
    for (let at = 0; at < stream.length; at += size) reader.read(stream.subarray(at, at + size));
    expect(said).toEqual(['begin; copy a from stdin', 'select $1', 'commit']);
  }
});

test('recovery counts until every destination with work under way has committed again', () => {
  const fault = { atMs: 0, kind: 'kill_worker', holdMs: 0, choice: 0 } as const;
  const end = (id: string, ended: number) => ({
    ...{ id, destination_id: id, status: 'SUCCESS', submitted: 0, ended, said: '' },
  });
  const [struck] = recoveries({
    struck: [{ fault, at: 100 }],
    ends: [end('slow', 900), end('quick', 900), end('idle', 50)],
    commits: new Map([
      ['slow', [90, 700]],
      ['quick', [150]],
      ['idle', [800]],
    ]),
    lost: [{ at: 101 }, { at: 99 }],
  });
  expect(struck).toMatchObject({ recoveredMs: 600, batchesLost: 1 });
});

test.each([
  [['--faults', '0'], '--faults must be a whole number from 1'],
  [['--seed', 'x'], '--seed must be a whole number'],
  [['--fault'], 'npm run torture -- --help'],
])('options %j are refused with a sentence', (args, said) => {
  expect(() => parseTortureOptions(args)).toThrow(said);
});
