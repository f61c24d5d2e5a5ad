import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../domain/failure.ts';
import { endPostgres } from './embedded-postgres.ts';
import { choosePorts, isPortFree } from './free-port.ts';
import { endRecordedProcesses, recordProcesses } from './process-records.ts';
import { openStateDir, readJson, writeJson, type StateDir } from './state-dir.ts';
import { supervise, type Service, type Supervised } from './supervisor.ts';
import { ensureApiKeys, ensureDatabase } from './system-database.ts';
import {
  databaseUrl,
  nodeService,
  postgresService,
  temporalService,
  type Addresses,
  type Role,
  type Setup,
} from './system-services.ts';
import { findTemporalBinary } from './temporal-binary.ts';

/** 0 takes a free port, the same as last time where that is still free. */
export interface SystemPorts {
  readonly api: number;
  readonly temporal: number;
  readonly database: number;
}

export interface SystemOptions {
  readonly stateDir: string;
  readonly ports: SystemPorts;
  /** Handed on to every program; what they must agree on is set by us. */
  readonly env: NodeJS.ProcessEnv;
  /** Told in one line each what happens and what was restarted. */
  readonly say: (line: string) => void;
  /** Every line that the API and the worker print. */
  readonly onLog?: (role: Role, line: string) => void;
  /** Gives up starting; what was started is stopped. */
  readonly signal?: AbortSignal;
}

/** A whole Waybill on this machine. */
export interface System {
  readonly apiUrl: string;
  /** Of the environment prod. */
  readonly apiKey: string;
  readonly stagingApiKey: string;
  readonly temporalAddress: string;
  readonly temporalUiUrl: string;
  /** Of our metadata, as superuser; the same server takes other databases. */
  readonly databaseUrl: string;
  /** `dev.json` in the state folder: all of the above and the process numbers of now. */
  readonly infoFile: string;
  pids(): Partial<Record<Role, number>>;
  /** Lets the worker drain, then stops everything. Nothing is lost. */
  stop(): Promise<void>;
}

const readyTimeoutMs = 120_000;
const readyPollMs = 100;
const answerTimeoutMs = 5000;
const leftoverGraceMs = 5000;
const deathsBeforeReadyMax = 3;
const uiPortDistance = 1000;

/**
 * Starts Postgres, Temporal, API and worker over a state folder and keeps them running. Resolves once the
 * API says that it is ready. Fails with `config_invalid` where a port is taken, `conflict` where a system
 * runs in the folder already, `unavailable` where a part does not start; then nothing is left running.
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  const { env, say, signal } = options;
  const temporalBinary = await findTemporalBinary({ env, say, signal });
  const state = await openStateDir(options.stateDir, say);
  const started = new AsyncDisposableStack();
  started.defer(() => state.close());
  // While nothing runs there is nothing to read: a script that waits for the file must not find an old one.
  const removeInfo = () => rmSync(state.file('dev.json'), { force: true });
  removeInfo();
  started.defer(removeInfo);
  try {
    const system = await startParts({ options, state, temporalBinary, started });
    return {
      ...system,
      stop: async () => {
        state.markStopping();
        await started.disposeAsync();
      },
    };
  } catch (error) {
    state.markStopping();
    await started.disposeAsync();
    throw error;
  }
}

interface Parts {
  readonly options: SystemOptions;
  readonly state: StateDir;
  readonly temporalBinary: string;
  /** What has to be stopped, last first. */
  readonly started: AsyncDisposableStack;
}

async function startParts(parts: Parts): Promise<Omit<System, 'stop'>> {
  const { options, state, temporalBinary, started } = parts;
  const { say, env, signal } = options;
  await endRecordedProcesses(state.file('processes.json'), { graceMs: leftoverGraceMs, say });
  await endPostgres(state.file('postgres'), say);
  const addresses = await chooseAddresses(options.ports, state);
  const setup: Setup = { env, say, state, addresses, secrets: state.readSecrets(), temporalBinary };
  const board = createBoard(state, say);
  const run = async (...services: Service[]) => {
    signal?.throwIfAborted();
    return startTogether(services, { board, started });
  };

  say('Starting Postgres and Temporal …');
  await run(postgresService(setup), temporalService(setup, board.note));
  signal?.throwIfAborted();
  await ensureDatabase(setup);
  const apiKeys = await ensureApiKeys(setup);
  say('Starting the API and the worker …');
  const onLog = options.onLog ?? (() => undefined);
  const [api] = await run(nodeService(setup, 'api', onLog), nodeService(setup, 'worker', onLog));
  await waitUntilReady(addresses.apiUrl, { api, signal });

  const info = {
    apiUrl: addresses.apiUrl,
    apiKey: apiKeys.prod,
    stagingApiKey: apiKeys.staging,
    temporalAddress: addresses.temporalAddress,
    temporalUiUrl: addresses.temporalUiUrl,
    databaseUrl: databaseUrl(setup),
    infoFile: state.file('dev.json'),
    pids: board.pids,
  };
  board.publish(() => writeJson(info.infoFile, toWire(info)));
  return info;
}

/** Who runs under which number: recorded for the next run at once, published once all is ready. */
function createBoard(state: StateDir, say: (line: string) => void) {
  const pids = new Map<string, number>();
  let write = () => undefined as void;
  const note = (role: string, pid: number) => {
    pids.set(role, pid);
    // Postgres is found by its data folder, and ended its own way.
    const others = new Map([...pids].filter(([each]) => each !== 'postgres'));
    recordProcesses(state.file('processes.json'), others);
    write();
  };
  return {
    say,
    note,
    pids: () => Object.fromEntries(pids) as Partial<Record<Role, number>>,
    publish: (writeInfo: () => void) => {
      write = writeInfo;
      write();
    },
  };
}

type Board = ReturnType<typeof createBoard>;

/** Waits for all before it fails for one, so that none is left starting with nobody to stop it. */
async function startTogether(
  services: readonly Service[],
  { board, started }: { board: Board; started: AsyncDisposableStack },
): Promise<Supervised[]> {
  const hooks = { say: board.say, onStarted: board.note };
  const results = await Promise.allSettled(services.map((service) => supervise(service, hooks)));
  const running = results
    .filter((result) => result.status === 'fulfilled')
    .map(({ value }) => value);
  started.defer(async () => {
    await Promise.all(running.map((each) => each[Symbol.asyncDispose]()));
  });
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return running;
}

async function chooseAddresses(ports: SystemPorts, state: StateDir): Promise<Addresses> {
  const last = readJson<Addresses>(state.file('addresses.json'));
  const [api = 0, temporal = 0, database = 0] = await choosePorts([
    { purpose: 'the API', option: '--api-port', port: ports.api, preferred: last?.apiPort },
    {
      purpose: 'Temporal',
      option: '--temporal-port',
      port: ports.temporal,
      preferred: last?.temporalPort,
    },
    {
      purpose: 'Postgres',
      option: '--database-port',
      port: ports.database,
      preferred: last?.databasePort,
    },
  ]);
  const [temporalUi = 0] = await choosePorts([
    {
      purpose: 'the pages of Temporal',
      option: '--temporal-port',
      port: 0,
      preferred: await usualUiPort(temporal),
    },
  ]);
  const addresses: Addresses = {
    apiPort: api,
    apiUrl: `http://127.0.0.1:${api}`,
    temporalPort: temporal,
    temporalAddress: `127.0.0.1:${temporal}`,
    temporalUiPort: temporalUi,
    temporalUiUrl: `http://127.0.0.1:${temporalUi}`,
    databasePort: database,
  };
  writeJson(state.file('addresses.json'), addresses);
  return addresses;
}

/** Temporal's own custom: the pages are a thousand above the server. */
async function usualUiPort(temporalPort: number): Promise<number | undefined> {
  const port = temporalPort + uiPortDistance;
  return port < 65_536 && (await isPortFree(port)) ? port : undefined;
}

async function waitUntilReady(
  apiUrl: string,
  { api, signal }: { api: Supervised | undefined; signal: AbortSignal | undefined },
): Promise<void> {
  const deadline = Date.now() + readyTimeoutMs;
  let answer = 'no answer';
  while (Date.now() < deadline) {
    signal?.throwIfAborted();
    if ((api?.deaths() ?? 0) >= deathsBeforeReadyMax) {
      throw new Failure('unavailable', 'The API ends again and again; its last lines say why.');
    }
    answer = await askReady(apiUrl);
    if (answer === 'ready') return;
    await sleep(readyPollMs);
  }
  throw new Failure(
    'unavailable',
    `The API is not ready after ${readyTimeoutMs / 1000} s: ${answer}`,
  );
}

async function askReady(apiUrl: string): Promise<string> {
  try {
    const response = await fetch(`${apiUrl}/readyz`, {
      signal: AbortSignal.timeout(answerTimeoutMs),
    });
    const text = await response.text();
    return response.ok ? 'ready' : text;
  } catch {
    return 'no answer';
  }
}

function toWire(info: Omit<System, 'stop'>): object {
  return {
    api_url: info.apiUrl,
    api_key: info.apiKey,
    staging_api_key: info.stagingApiKey,
    temporal_address: info.temporalAddress,
    temporal_ui_url: info.temporalUiUrl,
    database_url: info.databaseUrl,
    pids: info.pids(),
  };
}
