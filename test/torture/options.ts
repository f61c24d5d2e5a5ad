import { readOptions } from '../../bin/read-options.ts';
import { Failure } from '../../domain/failure.ts';

export interface TortureOptions {
  readonly faults: number;
  readonly seed: number;
  readonly faultsPerRound: number;
  readonly rows: number;
}

export const tortureHelp = `npm run torture -- [options]

Attacks a whole Waybill in processes of its own while a vendor writes and two customers are sent
their rows, and compares every row after each round. Ends with exit code 1 at the first difference,
and with the command that plays the same schedule again.

  --faults N            so many faults                            (100; 1000 take about an hour)
  --seed S              decides what happens when                 (1)
  --faults-per-round N  after so many all is left to settle       (40)
  --rows N              rows of the vendor at the start           (40000)
  --help                this text
`;

/** The options of the command line; undefined when help was asked for. Fails with `config_invalid`. */
export function parseTortureOptions(args: readonly string[]): TortureOptions | undefined {
  const values = readOptions('torture', args, {
    faults: { type: 'string' },
    seed: { type: 'string' },
    'faults-per-round': { type: 'string' },
    rows: { type: 'string' },
  });
  if (values.help === true) return undefined;
  const perRound = values['faults-per-round'] ?? '40';
  return {
    faults: readNumber('--faults', values.faults ?? '100', [1, 100_000]),
    seed: readNumber('--seed', values.seed ?? '1', [0, 2 ** 31]),
    faultsPerRound: readNumber('--faults-per-round', perRound, [1, 200]),
    rows: readNumber('--rows', values.rows ?? '40000', [1000, 10_000_000]),
  };
}

function readNumber(option: string, text: string, [min, max]: [number, number]): number {
  const number = Number(text.replaceAll(/[_,]/g, ''));
  if (Number.isInteger(number) && number >= min && number <= max) return number;
  throw new Failure(
    'config_invalid',
    `${option} must be a whole number from ${min} to ${max}, not "${text}".`,
  );
}

/** Two thirds are orders, and each tenant has half. */
export function rowsPerTable(rows: number): { orders: number; events: number } {
  return { orders: Math.round(rows / 3), events: Math.round(rows / 6) };
}
