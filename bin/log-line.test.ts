import { describe, expect, test } from 'vitest';
import { renderLogLine } from './log-line.ts';

const time = new Date(2026, 0, 2, 3, 4, 5).getTime();
const line = (entry: object) =>
  JSON.stringify({ level: 30, time, pid: 1, hostname: 'h', ...entry });

describe('renderLogLine', () => {
  test.each([
    [line({ msg: 'copied', rows: 10, role: 'worker' }), '03:04:05 worker   info  copied  rows=10'],
    [
      line({ level: 50, msg: 'no', why: 'two words' }),
      '03:04:05 worker   ERROR no  why="two words"',
    ],
    [line({ msg: 'deep', at: { a: 1 } }), '03:04:05 worker   info  deep  at={"a":1}'],
    ['plain text', '         worker   plain text'],
    ['{"not":"a log line"}', '         worker   {"not":"a log line"}'],
    ['{broken', '         worker   {broken'],
  ])('%s', (given, expected) => {
    expect(renderLogLine('worker', given)).toBe(expected);
  });

  test('an error stands below its line, trace included', () => {
    const given = line({
      level: 50,
      msg: 'failed',
      err: { message: 'm', stack: 'Error: m\n    at f (x.ts:1)' },
    });
    expect(
      renderLogLine('api', given)
        .split('\n')
        .map((each) => each.trim()),
    ).toEqual(['03:04:05 api      ERROR failed', 'Error: m', 'at f (x.ts:1)']);
  });
});
