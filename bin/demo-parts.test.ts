import { describe, expect, test } from 'vitest';
import { Failure } from '../domain/failure.ts';
import { readFlights } from './demo-flights.ts';
import { parseDemoOptions } from './demo-options.ts';
import { readAirportStates, regionOf } from './demo-regions.ts';
import { formatTable } from './demo-screen.ts';

describe('options of the demo', () => {
  test('without any it takes all rows and stops at the end', () => {
    expect(parseDemoOptions([])).toEqual({
      rows: 3_000_000,
      keep: false,
      stateDir: '.waybill/demo',
    });
  });

  test('rows may be grouped', () => {
    expect(parseDemoOptions(['--rows', '200_000', '--keep'])).toMatchObject({
      rows: 200_000,
      keep: true,
    });
  });

  test('help is asked for by either name', () => {
    expect(parseDemoOptions(['--help'])).toBeUndefined();
    expect(parseDemoOptions(['-h'])).toBeUndefined();
  });

  test.each([
    [['--rows', '9']],
    [['--rows', 'all']],
    [['--rows', '1e9']],
    [['--row', '10000']],
    [['more']],
  ])('%j is refused with a way out', (args) => {
    expect(() => parseDemoOptions(args)).toThrow(Failure);
    expect(() => parseDemoOptions(args)).toThrow(
      /--rows must be a number|--help lists the options/,
    );
  });
});

describe('regions', () => {
  test('a quoted name with a comma does not shift the state', () => {
    const states = readAirportStates(
      'iata,name,city,state\nLAX,"Los Angeles, Intl",Los Angeles,CA,USA\n',
    );
    expect(regionOf(states.get('LAX'))).toBe('west');
  });

  test('islands, Alaska and airports without a state belong to nobody', () => {
    expect(['HI', 'AK', 'PR', 'NA', undefined].map(regionOf)).toEqual(
      Array.from({ length: 5 }, () => 'outlying'),
    );
  });
});

test('flights come as COPY text with a key that counts and exact instants', async () => {
  let text = '';
  let told = 0;
  for await (const piece of readFlights(5000, (rows) => (told = rows))) text += piece.toString();
  const lines = text.trimEnd().split('\n');
  expect(lines).toHaveLength(5000);
  expect(told).toBe(5000);
  expect(lines[0]).toBe('1\twest\t2001-01-01T00:01:00Z\t33\t2176\tLAS\tPHL\t2001-01-01T05:06:00Z');
  expect(lines.at(-1)).toMatch(/^5000\t/);
});

test('a table is as wide as its widest cells', () => {
  expect(
    formatTable([
      ['a', 'rows'],
      ['long', '1'],
    ]),
  ).toBe('   a     rows\n   ----  ----\n   long     1');
});
