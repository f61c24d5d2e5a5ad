import { Failure } from '../domain/failure.ts';
import { readOptions } from '../bin/read-options.ts';
import { table } from './table.ts';

export interface BenchOptions {
  readonly rows: number;
  readonly rounds: number;
  /** Names of the rows of the table to run; all of them when none is named and no peers are asked for. */
  readonly only: readonly string[];
  readonly peers: boolean;
  readonly stateDir: string;
}

const names = table.map(({ name }) => name);

export const benchHelp = `npm run bench -- [options]

Measures Waybill against native tools, in rounds that take turns, with every part switched on and
every row compared before a time counts. Prints a table and writes it to bench/results/.

  --rows N          rows of about 350 bytes     (1000000)
  --rounds N        medians are taken of so many rounds   (3)
  --only A,B        only these rows of the table:
                    ${names.slice(0, 4).join(', ')},
                    ${names.slice(4).join(', ')}
  --peers           other movers in place of the table, or beside it with --only; what is missing is
                    installed into .cache/peers
  --state-dir DIR   where the servers keep their data     (.waybill/bench; emptied at each start)
  --help            this text
`;

/** The options of the command line; undefined when help was asked for. Fails with `config_invalid`. */
export function parseBenchOptions(args: readonly string[]): BenchOptions | undefined {
  const values = readOptions('bench', args, {
    rows: { type: 'string' },
    rounds: { type: 'string' },
    only: { type: 'string' },
    peers: { type: 'boolean' },
    'state-dir': { type: 'string' },
  });
  if (values.help === true) return undefined;
  const peers = values.peers === true;
  return {
    rows: readCount('--rows', values.rows ?? '1000000', 100_000_000),
    rounds: readCount('--rounds', values.rounds ?? '3', 99),
    only: values.only === undefined ? allUnless(peers) : readNames(values.only),
    peers,
    stateDir: values['state-dir'] ?? '.waybill/bench',
  };
}

function allUnless(peers: boolean): readonly string[] {
  return peers ? [] : names;
}

function readNames(text: string): string[] {
  const wanted = text.split(',').map((name) => name.trim());
  for (const name of wanted) {
    if (names.includes(name)) continue;
    throw new Failure(
      'config_invalid',
      `--only knows no row "${name}". The rows are: ${names.join(', ')}.`,
    );
  }
  return wanted;
}

function readCount(option: string, text: string, max: number): number {
  const count = Number(text.replaceAll(/[_,]/g, ''));
  if (Number.isInteger(count) && count >= 1 && count <= max) return count;
  throw new Failure(
    'config_invalid',
    `${option} must be a number from 1 to ${max}, not "${text}".`,
  );
}
