import { Failure } from '../domain/failure.ts';
import type { SystemPorts } from './system.ts';
import { readOptions } from './read-options.ts';

export interface DevOptions {
  readonly stateDir: string;
  readonly ports: SystemPorts;
}

export const devHelp = `npm run dev -- [options]

Runs a whole Waybill on this machine until Ctrl-C: Postgres, Temporal with its pages, API and worker.
What is in it stays in the state folder and is there again at the next start.

  --state-dir DIR       where everything is kept         (.waybill)
  --api-port N          port of the API                  (8080)
  --temporal-port N     port of Temporal                 (7233; its pages: 1000 higher)
  --database-port N     port of Postgres                 (5433)
  --help                this text

A port of 0 takes a free one. Once all is ready, addresses, API keys and process numbers are
in dev.json in the state folder.
`;

const portMax = 65_535;

/** The options of the command line; undefined when help was asked for. Fails with `config_invalid`. */
export function parseDevOptions(args: readonly string[]): DevOptions | undefined {
  const values = readOptions('dev', args, {
    'state-dir': { type: 'string' },
    'api-port': { type: 'string' },
    'temporal-port': { type: 'string' },
    'database-port': { type: 'string' },
  });
  if (values.help === true) return undefined;
  return {
    stateDir: values['state-dir'] ?? '.waybill',
    ports: {
      api: readPort('--api-port', values['api-port'] ?? '8080'),
      temporal: readPort('--temporal-port', values['temporal-port'] ?? '7233'),
      database: readPort('--database-port', values['database-port'] ?? '5433'),
    },
  };
}

function readPort(option: string, text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= portMax) return Number(text);
  throw new Failure(
    'config_invalid',
    `${option} must be a number from 0 to ${portMax}, not "${text}".`,
  );
}
