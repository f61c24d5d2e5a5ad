import path from 'node:path';
import { copyEnvironment } from '../config.ts';
import { Failure } from '../domain/failure.ts';
import { must } from '../lib/must.ts';
import { createApiClient } from './demo-api.ts';
import { createCustomer, makePassword } from './demo-customers.ts';
import { demoHelp, parseDemoOptions, type DemoOptions } from './demo-options.ts';
import { createScreen, formatCount, formatSeconds } from './demo-screen.ts';
import { logName, startCast, type Cast } from './demo-servers.ts';
import { stopOnSignal } from './demo-signal.ts';
import { addCustomer, addSource, publishModel, testConnection } from './demo-setup.ts';
import {
  compareRefreshed,
  loadFirst,
  moveChanges,
  refreshThroughKill,
  type Act,
  type Stage,
} from './demo-story.ts';
import { connect, countFlights, createReader, loadFlights, type Login } from './demo-vendor.ts';

// `npm run demo`: the main job from nothing, on real rows. Acts as a vendor would: through the HTTP API only.

// Whoever reads our output may go away first; that must not keep us from stopping our servers.
process.stdout.on('error', () => undefined);

const startedAtMs = Date.now();
const screen = createScreen(process.stdout, startedAtMs);
const regions = ['west', 'east'] as const;
/** Enough for three million rows without the pauses that a freshly made Postgres would take. */
const customersSettings = { max_wal_size: '4GB', shared_buffers: '256MB' };
/**
 * The vendor's table is loaded once and belongs to the scenery: without its rows in the log that takes
 * less time.
 */
const vendorSettings = { ...customersSettings, wal_level: 'minimal', max_wal_senders: '0' };

try {
  const options = parseDemoOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(demoHelp);
  else await run(options);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`\n${error.message}\n`);
  process.exitCode = 1;
}

async function run(options: DemoOptions): Promise<void> {
  const stopping = stopOnSignal();
  const say = (line: string) => screen.say(line);
  screen.step("Servers start, and real flights become the vendor's table");
  const cast = await startCast({
    stateDir: options.stateDir,
    env: { ...copyEnvironment(), WAYBILL_BATCH_ROWS: String(batchRows(options.rows)) },
    say,
    vendorSettings,
    customersSettings,
    signal: stopping.signal,
    prepare: (vendor) => fillVendor(vendor, options.rows),
  });
  let outcome: 'stopped' | 'failed' | 'finished' = 'stopped';
  try {
    const performed = perform(cast, options).then(() => (outcome = 'finished'));
    await Promise.race([performed, stopping.asked]);
    if (options.keep && !stopping.signal.aborted) {
      say('The servers stay until you press Ctrl-C.');
      await stopping.asked;
    }
  } catch (error) {
    outcome = 'failed';
    say(`What the API and the worker said is in ${path.join(options.stateDir, logName)}`);
    throw error;
  } finally {
    process.stdout.write('\nStopping the servers …\n');
    // Where a row differed or a step failed, somebody will want to look.
    await cast.stop({ clear: outcome !== 'failed' && process.exitCode === undefined });
  }
  if (outcome === 'stopped') throw new Failure('cancelled', 'Stopped before the end.');
}

/** The usual batch for all rows; smaller ones for fewer, so that there is always a middle to be killed in. */
function batchRows(rows: number): number {
  return Math.min(100_000, Math.ceil(rows / 30));
}

async function fillVendor(login: Login, rows: number): Promise<void> {
  const vendor = await connect(login);
  try {
    await loadFlights(vendor, rows, (copied) => {
      screen.progress(`${formatCount(copied)} of ${formatCount(rows)} flights`);
    });
    screen.settle(`${formatCount(rows)} flights with key, index and statistics`);
  } finally {
    await vendor.end();
  }
}

/** The whole story. Ends with exit code 1 where a row differs. */
async function perform(cast: Cast, options: DemoOptions): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const open = async (login: Login) => stack.adopt(await connect(login), (client) => client.end());
  const vendor = await open(cast.vendor);
  const stage = await setStage(cast, options, { vendor, open });
  const acts = [await loadFirst(stage)];
  const { act, commitLate } = await moveChanges(stage);
  acts.push(act, await commitLate());
  const refresh = await refreshThroughKill(stage);
  acts.push(refresh.act);
  const equal = (await compareRefreshed(stage)) && refresh.othersEqual;
  if (!equal) process.exitCode = 1;
  showClosing(cast, acts);
}

interface Clients {
  readonly vendor: Stage['vendor'];
  readonly open: (login: Login) => Promise<Stage['vendor']>;
}

async function setStage(
  cast: Cast,
  options: DemoOptions,
  { vendor, open }: Clients,
): Promise<Stage> {
  const { system } = cast;
  screen.step('Through the HTTP API: a source, a model, two recipients, two destinations');
  const api = createApiClient(system);
  const reader = { ...cast.vendor, user: 'waybill_reader', password: makePassword() };
  await createReader(vendor, reader);
  const sourceId = await addSource(api, reader);
  screen.say(
    `source: the vendor's Postgres, connection test: ${await testConnection(api, 'sources', sourceId)}`,
  );
  const modelId = await publishModel(api);
  screen.say('model: flights, tenant column "region", checked against the source');
  const counts = await countFlights(vendor);
  const customers = [];
  for (const region of regions) {
    const customer = await addCustomer(api, region, await createCustomer(cast.customers, region));
    const test = await testConnection(api, 'destinations', customer.destinationId);
    const rows = counts.get(region) ?? 0;
    customers.push({ ...customer, client: await open(customer.login), rows });
    screen.say(
      `recipient and destination: ${region}, ${formatCount(rows)} flights, connection test: ${test}`,
    );
  }
  screen.say(
    `${formatCount(counts.get('outlying') ?? 0)} flights belong to nobody here and must not travel`,
  );
  const killWorker = () => void process.kill(must(system.pids().worker, 'a worker'), 'SIGKILL');
  return {
    screen,
    api,
    vendor,
    vendorLogin: cast.vendor,
    rows: options.rows,
    modelId,
    customers,
    killWorker,
  };
}

function showClosing(cast: Cast, acts: readonly Act[]): void {
  const rows = acts.map((act) => [
    act.step,
    formatCount(act.rows),
    formatCount(act.written),
    formatSeconds(act.seconds),
    formatCount(act.rows / act.seconds),
  ]);
  screen.table([['transfer', 'rows moved', 'rows written', 'time', 'rows/s'], ...rows]);
  screen.say(`all of it took ${formatSeconds((Date.now() - startedAtMs) / 1000)}`);
  screen.say(`API reference   ${cast.system.apiUrl}/docs`);
  screen.say(`Temporal        ${cast.system.temporalUiUrl}`);
  screen.say(`API key         ${cast.system.apiKey}`);
}
