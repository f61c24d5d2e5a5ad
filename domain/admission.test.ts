import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { admit, type Contender, type Slots } from './admission.ts';

const at = (seconds: number) => new Date(1_700_000_000_000 + seconds * 1000);

function contender(id: string, recipientId: string, more: Partial<Contender> = {}): Contender {
  return { id, recipientId, submittedAt: at(0), sourceIds: ['s'], isBackfill: false, ...more };
}

const open: Slots = {
  environmentMax: 10,
  sourceMax: new Map(),
  taken: [],
  lastServedAt: new Map(),
};

describe('admission', () => {
  test('lets as many in as the environment has slots, those that were submitted first', () => {
    const waiting = [1, 2, 3].map((n) => contender(`t${n}`, `r${n}`, { submittedAt: at(-n) }));
    expect(admit(waiting, { ...open, environmentMax: 2 })).toEqual(['t3', 't2']);
    expect(admit(waiting, { ...open, environmentMax: 2, taken: [contender('x', 'r9')] })).toEqual([
      't3',
    ]);
    expect(admit(waiting, { ...open, environmentMax: 1, taken: [contender('x', 'r9')] })).toEqual(
      [],
    );
  });

  test('gives each recipient a slot before one gets its second', () => {
    const large = [1, 2, 3, 4].map((n) =>
      contender(`l${n}`, 'large', { submittedAt: at(-100 + n) }),
    );
    const small = contender('s1', 'small');
    expect(admit([...large, small], { ...open, environmentMax: 2 })).toEqual(['l1', 's1']);
    const busy = { ...open, environmentMax: 3, taken: [contender('x', 'large')] };
    expect(admit([...large, small], busy)).toEqual(['s1', 'l1']);
  });

  test('gives the turn to whoever was served longest ago', () => {
    const waiting = [contender('a', 'r1', { submittedAt: at(-9) }), contender('b', 'r2')];
    const lastServedAt = new Map([
      ['r1', at(-1)],
      ['r2', at(-50)],
    ]);
    expect(admit(waiting, { ...open, environmentMax: 1, lastServedAt })).toEqual(['b']);
  });

  test('passes over one whose source is full, and takes the next', () => {
    const waiting = [contender('a', 'r1', { sourceIds: ['s', 'full'] }), contender('b', 'r2')];
    const slots = {
      ...open,
      sourceMax: new Map([['full', 1]]),
      taken: [contender('x', 'r3', { sourceIds: ['full'] })],
    };
    expect(admit(waiting, slots)).toEqual(['b']);
  });
});

test('a backfill has its turn when nobody else can take the slot', () => {
  const filling = contender('filling', 'r1', { submittedAt: at(-9), isBackfill: true });
  const waiting = [filling, contender('a', 'r2'), contender('b', 'r2', { sourceIds: ['full'] })];
  const slots = { ...open, sourceMax: new Map([['full', 0]]) };
  expect(admit(waiting, { ...slots, environmentMax: 1 })).toEqual(['a']);
  expect(admit(waiting, slots)).toEqual(['a', 'filling']);
});

test('whatever waits, no cap is passed, and nobody waits while there is room for him', () => {
  const contenders = fc.array(
    fc.record({
      id: fc.uuid(),
      recipientId: fc.constantFrom('r1', 'r2', 'r3'),
      submittedAt: fc.integer({ min: 0, max: 100 }).map(at),
      sourceIds: fc.uniqueArray(fc.constantFrom('s1', 's2'), { minLength: 1, maxLength: 2 }),
      isBackfill: fc.boolean(),
    }),
    { maxLength: 30 },
  );
  const caps = fc.record({
    environmentMax: fc.integer({ min: 1, max: 8 }),
    s1: fc.integer({ min: 1, max: 4 }),
  });
  fc.assert(
    fc.property(
      contenders,
      fc.array(fc.nat(3), { maxLength: 3 }),
      caps,
      (waiting, _, { environmentMax, s1 }) => {
        const slots = { ...open, environmentMax, sourceMax: new Map([['s1', s1]]) };
        const admitted = admit(waiting, slots);
        const ins = waiting.filter(({ id }) => admitted.includes(id));
        const onS1 = ins.filter(({ sourceIds }) => sourceIds.includes('s1')).length;
        expect(admitted.length).toBeLessThanOrEqual(environmentMax);
        expect(onS1).toBeLessThanOrEqual(s1);
        expect(new Set(admitted).size).toBe(admitted.length);
        const outs = waiting.filter(({ id }) => !admitted.includes(id));
        const couldRun = outs.filter(({ sourceIds }) => !sourceIds.includes('s1') || onS1 < s1);
        if (admitted.length < environmentMax) expect(couldRun).toEqual([]);
      },
    ),
  );
});

test('with one slot and endless arrivals of one recipient, the other is served at every second turn', () => {
  const served: string[] = [];
  const lastServedAt = new Map<string, Date>();
  let waiting = [contender('small-0', 'small', { submittedAt: at(50) })];
  for (let turn = 0; turn < 10; turn += 1) {
    waiting = [...waiting, contender(`large-${turn}`, 'large', { submittedAt: at(turn) })];
    const [id] = admit(waiting, { ...open, environmentMax: 1, lastServedAt });
    const one = waiting.find((each) => each.id === id);
    waiting = waiting.filter((each) => each.id !== id);
    if (one === undefined) break;
    served.push(one.recipientId);
    lastServedAt.set(one.recipientId, at(1000 + turn));
    if (one.recipientId === 'small')
      waiting.push(contender(`small-${turn}`, 'small', { submittedAt: at(60 + turn) }));
  }
  expect(served.filter((recipient) => recipient === 'small')).toHaveLength(5);
});
