import { Failure } from '../domain/failure.ts';
import { flightsMax } from './demo-flights.ts';
import { readOptions } from './read-options.ts';

export interface DemoOptions {
  readonly rows: number;
  readonly keep: boolean;
  readonly stateDir: string;
}

/** Fewer would leave some of the changes without a row to change. */
const rowsMin = 10_000;

export const demoHelp = `npm run demo -- [options]

Sends real flights from a vendor's Postgres to two customers' databases, through the HTTP API and
Temporal, all on this machine: first load, changes, an added column, a worker killed half way, and
a comparison of every row. Uses free ports, so it does not mind a running \`npm run dev\`.

  --rows N          so many of the three million flights   (3000000; at least 10000)
  --keep            leave the servers running at the end, until Ctrl-C
  --state-dir DIR   where everything is kept               (.waybill/demo; emptied at each start)
  --help            this text

Three million rows take about two minutes and 3 GB of disk on two cores.
`;

/** The options of the command line; undefined when help was asked for. Fails with `config_invalid`. */
export function parseDemoOptions(args: readonly string[]): DemoOptions | undefined {
  const values = readOptions('demo', args, {
    rows: { type: 'string' },
    keep: { type: 'boolean' },
    'state-dir': { type: 'string' },
  });
  if (values.help === true) return undefined;
  return {
    rows: readRows(values.rows ?? String(flightsMax)),
    keep: values.keep ?? false,
    stateDir: values['state-dir'] ?? '.waybill/demo',
  };
}

function readRows(text: string): number {
  const rows = Number(text.replaceAll(/[_,]/g, ''));
  if (Number.isInteger(rows) && rows >= rowsMin && rows <= flightsMax) return rows;
  throw new Failure(
    'config_invalid',
    `--rows must be a number from ${rowsMin} to ${flightsMax}, not "${text}".`,
  );
}
