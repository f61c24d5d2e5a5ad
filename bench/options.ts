import { Failure } from '../domain/failure.ts';
import { readOptions } from '../bin/read-options.ts';

export interface BenchOptions {
  readonly rows: number;
  readonly rounds: number;
  readonly stateDir: string;
}

export const benchHelp = `npm run bench -- [options]

Measures Waybill against native tools, in rounds that take turns, with every part switched on and
every row compared before a time counts. Prints a table and writes it to bench/results/.

  --rows N          rows of about 360 bytes     (1000000)
  --rounds N        medians are taken of so many rounds   (3)
  --state-dir DIR   where the servers keep their data     (.waybill/bench; emptied at each start)
  --help            this text
`;

/** The options of the command line; undefined when help was asked for. Fails with `config_invalid`. */
export function parseBenchOptions(args: readonly string[]): BenchOptions | undefined {
  const values = readOptions('bench', args, {
    rows: { type: 'string' },
    rounds: { type: 'string' },
    'state-dir': { type: 'string' },
  });
  if (values.help === true) return undefined;
  return {
    rows: readCount('--rows', values.rows ?? '1000000', 100_000_000),
    rounds: readCount('--rounds', values.rounds ?? '3', 99),
    stateDir: values['state-dir'] ?? '.waybill/bench',
  };
}

function readCount(option: string, text: string, max: number): number {
  const count = Number(text.replaceAll(/[_,]/g, ''));
  if (Number.isInteger(count) && count >= 1 && count <= max) return count;
  throw new Failure(
    'config_invalid',
    `${option} must be a number from 1 to ${max}, not "${text}".`,
  );
}
