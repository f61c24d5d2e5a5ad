import { copyEnvironment } from '../config.ts';
import { createApiClient } from '../bin/demo-api.ts';
import { startCast, type Cast } from '../bin/demo-servers.ts';
import { stopOnSignal } from '../bin/demo-signal.ts';
import { connect, type Login } from '../bin/demo-vendor.ts';
import { Failure } from '../domain/failure.ts';
import { must } from '../lib/must.ts';
import { benchFirstLoad, type Bench } from './first-load.ts';
import { findNativePipe } from './native-copy.ts';
import { benchHelp, parseBenchOptions, type BenchOptions } from './options.ts';
import { publish } from './publish.ts';
import { machineSetting, writeReport } from './report.ts';
import { columns, createSourceRows, measureRowBytes } from './source-rows.ts';

// `npm run bench`: the table of speeds that we hold ourselves to. A further row is a further file like
// first-load.ts.

const say = (line: string) => void process.stdout.write(`${line}\n`);

/** The same for both servers and both sides; everything else is as Postgres ships it, fsync on. */
const settings = { shared_buffers: '512MB', max_wal_size: '4GB', autovacuum: 'off' };

try {
  const options = parseBenchOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(benchHelp);
  else await run(options);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

async function run(options: BenchOptions): Promise<void> {
  const { signal, asked } = stopOnSignal();
  const cast = await startCast({
    stateDir: options.stateDir,
    env: copyEnvironment(),
    say,
    vendorSettings: settings,
    customersSettings: settings,
    signal,
    prepare: (source) => fillSource(source, options.rows),
  });
  try {
    await Promise.race([measure(cast, options), asked]);
  } finally {
    await cast.stop({ clear: true });
  }
}

async function fillSource(source: Login, rows: number): Promise<void> {
  say(`Making ${rows} rows …`);
  const client = await connect(source);
  try {
    await createSourceRows(client, rows);
  } finally {
    await client.end();
  }
}

async function measure(cast: Cast, options: BenchOptions): Promise<void> {
  const pipe = await findNativePipe();
  const { version, rowBytes } = await inspectSource(cast.vendor);
  const api = createApiClient(cast.system);
  const bench: Bench = {
    api,
    source: cast.vendor,
    destination: cast.customers,
    rows: options.rows,
    rounds: options.rounds,
    rowBytes,
    pipe,
    addDestination: await publish(api, cast),
    workerPid: () => must(cast.system.pids().worker, 'a worker'),
    waybillPids: () => Object.values(cast.system.pids()),
    say,
  };
  const results = [await benchFirstLoad(bench)];
  const setting = {
    ...machineSetting(),
    postgres: `${version}, both ends on this machine, ${JSON.stringify(settings)}, fsync on, no TLS`,
    rows: `${options.rows} of ${Math.round(rowBytes)} bytes as text, ${columns.length} columns`,
    rounds: options.rounds,
    ours: 'HTTP API, Temporal, checkpoints and fencing on; timed from the request until the API says SUCCESS',
  };
  const report = await writeReport('bench/results', { at: new Date(), setting, results });
  say(`\n${report.text}\nWritten to ${report.file}`);
}

async function inspectSource(source: Login): Promise<{ version: string; rowBytes: number }> {
  const client = await connect(source);
  try {
    const { rows } = await client.query<{ version: string }>(/*sql*/ `select version()`);
    const version = /^PostgreSQL \S+/.exec(rows[0]?.version ?? '')?.[0] ?? 'PostgreSQL';
    return { version, rowBytes: await measureRowBytes(client) };
  } finally {
    await client.end();
  }
}
