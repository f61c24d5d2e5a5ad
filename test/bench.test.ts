import { describe, expect, test } from 'vitest';
import { parseBenchOptions } from '../bench/options.ts';
import { formatReport, median, type Outcome, type Report } from '../bench/report.ts';

const row = {
  name: 'first-load',
  work: 'first load',
  against: 'a pipe | psql',
  bound: { max: 1.15, unit: '×' },
} as const;

/** The line of the row in the table of the report. */
function checkLine(outcome: Outcome, line: string): void {
  const at = new Date('2026-11-21T00:00:00Z');
  const report: Report = { at, setting: {}, results: [{ row, outcome }], peers: [] };
  expect(formatReport(report).split('\n')).toContain(line);
}

describe('the report of the bench', () => {
  test('a ratio at its bound is met', () => {
    checkLine(
      { kind: 'measured', value: 1.15, numbers: {} },
      '| first-load | first load | a pipe \\| psql | 1.15 × | 1.15 × | met |',
    );
  });

  test('a ratio that prints as its bound and is above it is not met', () => {
    checkLine(
      { kind: 'measured', value: 1.1501, numbers: {} },
      '| first-load | first load | a pipe \\| psql | 1.15 × | 1.15 × | not met |',
    );
  });

  test('a row that failed has its reason and no ratio', () => {
    checkLine(
      { kind: 'failed', reason: 'rows differ' },
      '| first-load | first load | a pipe \\| psql | failed: rows differ | 1.15 × |  |',
    );
  });

  test('the median of an even count lies between the middle two', () => {
    expect(median([4, 1, 2, 10])).toBe(3);
  });
});

describe('the options of the bench', () => {
  test('every row of the table runs when none is named', () => {
    expect(parseBenchOptions([])?.only).toEqual([
      'first-load',
      'first-load-two-ranges',
      'first-load-text',
      'unchanged',
      'incremental-1',
      'incremental-20',
      'memory',
      'after-kill',
      'empty',
    ]);
  });

  test('peers run alone, or beside the rows that are named', () => {
    expect(parseBenchOptions(['--peers'])).toMatchObject({ peers: true, only: [] });
    expect(parseBenchOptions(['--peers', '--only', 'empty'])).toMatchObject({ only: ['empty'] });
  });

  test('a row that does not exist is refused with the names of those that do', () => {
    expect(() => parseBenchOptions(['--only', 'empti'])).toThrow(
      /no row "empti".*after-kill, empty/,
    );
  });
});
