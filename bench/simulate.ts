import { rm } from 'node:fs/promises';
import { stopOnSignal } from '../bin/demo-signal.ts';
import { endPostgres } from '../bin/embedded-postgres.ts';
import { openStateDir } from '../bin/state-dir.ts';
import { Failure } from '../domain/failure.ts';
import { machineSetting } from './report.ts';
import { createCrew, startOnPort } from './simulation/crew.ts';
import {
  parseSimulationOptions,
  simulationHelp,
  type SimulationOptions,
} from './simulation/options.ts';
import { simulationSections, writeSections } from './simulation/report.ts';
import { runRounds } from './simulation/rounds.ts';
import { createScene } from './simulation/scene.ts';
import { startStand } from './simulation/stand.ts';

// `npm run simulate`: how Waybill behaves with many destinations, without a cluster.

const startedAtMs = performance.now();
const say = (line: string) => {
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(0).padStart(5);
  process.stdout.write(`${seconds} s  ${line}\n`);
};

/** A batch of the backfill is small, so that it has many; what waits for its release counts as progress. */
const workerSettings = { WAYBILL_BATCH_ROWS: '500', WAYBILL_PROGRESS_SECONDS: '86400' };

try {
  const options = parseSimulationOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(simulationHelp);
  else await run(options);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

async function run(options: SimulationOptions): Promise<void> {
  const { signal, asked } = stopOnSignal();
  const state = await openStateDir(options.stateDir, say);
  try {
    await using stack = new AsyncDisposableStack();
    const work = await workOf(options);
    const file = (name: string) => state.file(name);
    await clear(file);
    await Promise.race([work({ options, file, signal, say, stack }), asked]);
  } finally {
    state.close();
  }
}

async function workOf(options: SimulationOptions): Promise<(run: Run) => Promise<void>> {
  if (options.isSmall) return (await import('./simulation/small-work.ts')).runSmallWork;
  if (options.isSchedules) return (await import('./simulation/schedules.ts')).runSchedules;
  return simulate;
}

/** What an earlier run left. */
async function clear(file: (name: string) => string): Promise<void> {
  for (const name of ['postgres', 'ends']) {
    await endPostgres(file(name), say);
    await rm(file(name), { recursive: true, force: true });
  }
  await rm(file('temporal'), { recursive: true, force: true });
}

export interface Run {
  readonly options: SimulationOptions;
  readonly file: (name: string) => string;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  readonly stack: AsyncDisposableStack;
}

async function simulate({ options, file, signal, stack }: Run): Promise<void> {
  const stand = await startStand({ folder: file('.'), say, signal }, stack);
  const world = await startOnPort(
    new URL('simulation/world.ts', import.meta.url),
    stand.workerEnv,
    stack,
  );
  const program = new URL('simulation/worker.ts', import.meta.url);
  const env = {
    ...stand.workerEnv,
    ...workerSettings,
    WAYBILL_DATA_SLOTS: String(options.slots),
    WAYBILL_LOG_LEVEL: 'error',
  };
  const crew = createCrew({ program, env }, stack);
  say('Starting the workers …');
  await Promise.all(Array.from({ length: options.workers }, () => crew.add()));
  say(`Adding ${options.destinations} destinations …`);
  const scene = await createScene(stand, world.port, options);
  const tools = { stand, scene, crew, worldPid: world.pid, say };
  const result = await runRounds(tools, world.port);
  const setting = {
    ...machineSetting(),
    destinations: `${options.destinations} small, one with ${options.backfillRows} rows a model to backfill`,
    models: options.models,
    workers: `${options.workers}, ${options.slots} data slots each`,
    rows: `${options.rows} of each model at each destination, all changed before each phase`,
    servers: 'development server of Temporal on SQLite, embedded Postgres 18, all on this machine',
    ends: 'memory connectors, stores in one process of their own, reached over HTTP',
    backfill: `held ${result.backfillModels} data slots throughout its phase`,
    equal: `${result.equal} of ${options.destinations + 1} destinations hold exactly the rows of the source`,
  };
  const sections = simulationSections(result);
  const figures = { ...result, histories: Object.fromEntries(result.histories) };
  const { text, file: written } = await writeSections({
    name: 'simulate',
    setting,
    sections,
    figures,
  });
  say(`\n${text}\nWritten to ${written}`);
  if (result.equal !== options.destinations + 1) {
    throw new Failure('bug', 'Destinations differ from the source: the figures say nothing.');
  }
}
