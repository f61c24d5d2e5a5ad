import { Failure } from '../../domain/failure.ts';
import { readOptions } from '../../bin/read-options.ts';

export interface SimulationOptions {
  readonly destinations: number;
  readonly models: number;
  readonly workers: number;
  readonly slots: number;
  /** Of one model at one destination: so many are there, and so many change before each round. */
  readonly rows: number;
  readonly backfillRows: number;
  readonly isSmall: boolean;
  readonly isSchedules: boolean;
  readonly stateDir: string;
}

export const simulationHelp = `npm run simulate -- [options]

Runs many destinations on a real Temporal server, a real database and real worker processes, with rows in
memory: all are due at once, alone and beside a huge backfill, and while workers come, go and are killed.
Compares every row at the end, prints a table and writes it to bench/results/.

  --destinations N    (1000)
  --models N          of each destination   (3)
  --workers N         worker processes to begin with   (2)
  --slots N           data slots of each worker   (4)
  --rows N            rows of a model at a destination; all of them change before each round   (10)
  --backfill-rows N   of one model of the large customer   (50000)
  --small             only the cost of small transfers between Postgres servers, against bare workflows;
                      the other options but --destinations (500 with --small) and --rows do not count
  --schedules         only schedules, one for each destination (10000 with --schedules): made, changed, fired
  --state-dir DIR     where the servers keep their data   (.waybill/simulate; emptied at each start)
  --help              this text
`;

/** The options of the command line; undefined when help was asked for. Fails with `config_invalid`. */
export function parseSimulationOptions(args: readonly string[]): SimulationOptions | undefined {
  const text = { type: 'string' } as const;
  const values = readOptions('simulate', args, {
    destinations: text,
    models: text,
    workers: text,
    slots: text,
    rows: text,
    'backfill-rows': text,
    'state-dir': text,
    small: { type: 'boolean' },
    schedules: { type: 'boolean' },
  });
  if (values.help === true) return undefined;
  const isSmall = values.small ?? false;
  const isSchedules = values.schedules ?? false;
  const usual = isSchedules ? '10000' : '1000';
  return {
    destinations: readCount(
      '--destinations',
      values.destinations ?? (isSmall ? '500' : usual),
      100_000,
    ),
    models: readCount('--models', values.models ?? '3', 50),
    workers: readCount('--workers', values.workers ?? '2', 32),
    slots: readCount('--slots', values.slots ?? '4', 64),
    rows: readCount('--rows', values.rows ?? '10', 100_000),
    backfillRows: readCount('--backfill-rows', values['backfill-rows'] ?? '50000', 1_000_000),
    isSmall,
    isSchedules,
    stateDir: values['state-dir'] ?? '.waybill/simulate',
  };
}

function readCount(option: string, given: string, max: number): number {
  const count = Number(given.replaceAll(/[_,]/g, ''));
  if (/\d/.test(given) && Number.isInteger(count) && count >= 1 && count <= max) return count;
  const message = `${option} must be a whole number from 1 to ${max}, not "${given}".`;
  throw new Failure('config_invalid', message);
}
