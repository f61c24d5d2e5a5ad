import { describe, expect, test } from 'vitest';
import { parseDevOptions } from './dev-options.ts';

describe('parseDevOptions', () => {
  test('has fixed ports and a folder without any option', () => {
    expect(parseDevOptions([])).toEqual({
      stateDir: '.waybill',
      ports: { api: 8080, temporal: 7233, database: 5433 },
    });
  });

  test('takes every option, and 0 as a port', () => {
    const args = [
      '--state-dir',
      '/x',
      '--api-port',
      '0',
      '--temporal-port=1',
      '--database-port',
      '65535',
    ];
    expect(parseDevOptions(args)).toEqual({
      stateDir: '/x',
      ports: { api: 0, temporal: 1, database: 65_535 },
    });
  });

  test('answers help with nothing to do', () => {
    expect(parseDevOptions(['--help'])).toBeUndefined();
  });

  test.each([
    [['--api-port', '65536'], '--api-port must be a number from 0 to 65535, not "65536"'],
    [['--database-port', 'x'], '--database-port must be a number'],
    [['--temporal-port', ''], '--temporal-port must be a number'],
    [['--port', '1'], "Unknown option '--port'"],
    [['extra'], 'Unexpected argument'],
  ])('refuses %j with a sentence', (args, message) => {
    expect(() => parseDevOptions(args)).toThrow(message);
  });
});
