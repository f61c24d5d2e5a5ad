import { describe, expect, test } from 'vitest';
import { at, everything } from '../test/harness/plan-requests.ts';
import type { Window } from './load.ts';
import { checkWindowCount, partOf } from './split-window.ts';

const split = { seconds: 2 * 3600, now: at(8) };
const fromThree: Window = { after: at(3), upTo: undefined };

describe('a window is read in parts of max_transfer_time_window_seconds', () => {
  test.each<[string, Window, string | undefined, Window]>([
    ['the first begins where the window does', fromThree, undefined, { after: at(3), upTo: at(5) }],
    ['a part begins inside and ends outside', fromThree, at(5), { after: at(5), upTo: at(7) }],
    ['a place within leads to its part', fromThree, at(6), { after: at(5), upTo: at(7) }],
    ['the last one has no end', fromThree, at(8), { after: at(7), upTo: undefined }],
    [
      'stamps of the future are in the last',
      fromThree,
      'infinity',
      { after: at(7), upTo: undefined },
    ],
    [
      'the last ends with the window',
      { after: at(3), upTo: at(6) },
      at(5),
      { after: at(5), upTo: at(6) },
    ],
    [
      'one that ends with the window is the last',
      { after: at(3), upTo: at(5) },
      at(4),
      { after: at(3), upTo: at(5) },
    ],
    [
      'a window that is shorter than a part is not split',
      { after: at(3), upTo: at(4) },
      undefined,
      { after: at(3), upTo: at(4) },
    ],
    [
      'nor one that begins after the clock of the source',
      { after: at(10), upTo: undefined },
      at(15),
      { after: at(10), upTo: undefined },
    ],
    [
      'without a start they are counted from 1970, and the first holds all that is older',
      everything,
      undefined,
      { after: undefined, upTo: '1970-01-01 02:00:00.000000+00' },
    ],
    [
      'also what is older by far',
      { after: '-infinity', upTo: undefined },
      '-infinity',
      { after: '-infinity', upTo: '1970-01-01 02:00:00.000000+00' },
    ],
    ['without a start', everything, at(5), { after: at(4), upTo: at(6) }],
  ])('%s', (_, window, place, part) => {
    expect(partOf(window, split, place)).toEqual(part);
  });

  test.each([
    ['without a start', everything, false],
    ['with a start', { after: at(3), upTo: undefined }, true],
    ['with an end', { after: undefined, upTo: '1970-01-02 00:00:00+00' }, true],
  ])('a query is refused where its windows would be too many: %s', (_, window, isRight) => {
    const check = () => checkWindowCount(window, { seconds: 60, now: at(8) });
    if (isRight) expect(check).not.toThrow();
    else expect(check).toThrow('min_start_time_epoch');
  });

  test('they touch and leave nothing out', () => {
    let place: string | undefined;
    const parts: Window[] = [];
    do {
      const part = partOf(fromThree, split, place);
      parts.push(part);
      place = part.upTo;
    } while (place !== undefined);
    expect(parts.map(({ after }) => after)).toEqual([at(3), at(5), at(7)]);
    expect(parts.map(({ upTo }) => upTo)).toEqual([at(5), at(7), undefined]);
  });
});
