import { copyEnvironment } from '../config.ts';
import { startCast, type Cast } from '../bin/demo-servers.ts';
import { stopOnSignal, type StopRequest } from '../bin/demo-signal.ts';
import { connect, type Login } from '../bin/demo-vendor.ts';
import { Failure } from '../domain/failure.ts';
import { measurePeers } from './peers/measure-peers.ts';
import { openWorkbench } from './open-workbench.ts';
import { benchHelp, parseBenchOptions, type BenchOptions } from './options.ts';
import {
  machineSetting,
  writeReport,
  type BenchResult,
  type Outcome,
  type PeerResult,
  type Setting,
} from './report.ts';
import { createSourceRows } from './source-rows.ts';
import { table } from './table.ts';
import type { BenchRow, Workbench } from './workbench.ts';

// `npm run bench`: the table of speeds that we hold ourselves to. A further row is a further file, listed in
// table.ts.

const say = (line: string) => void process.stdout.write(`${line}\n`);

/** The same for both servers and both sides; everything else is as Postgres ships it, fsync on. */
const settings = { shared_buffers: '512MB', max_wal_size: '4GB', autovacuum: 'off' };
/** The bound on memory is that of one slot, and nothing here runs two loads at once. */
const oneSlot = { WAYBILL_DATA_SLOTS: '1' };

/** Where only peers are asked for. */
const noRows: Group = { worker: {}, rows: [] };

try {
  const options = parseBenchOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(benchHelp);
  else await run(options);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

interface Findings {
  readonly results: BenchResult[];
  readonly peers: PeerResult[];
  setting: Setting;
}

async function run(options: BenchOptions): Promise<void> {
  const stop = stopOnSignal();
  const findings: Findings = { results: [], peers: [], setting: machineSetting() };
  const rows = table.filter(({ name }) => options.only.includes(name));
  const [usual = noRows, ...others] = groupByWorker(rows);
  for (const group of [usual, ...others]) {
    if (stop.signal.aborted) break;
    await runGroup(group, { options, stop, findings, withPeers: options.peers && group === usual });
  }
  const report = { at: new Date(), ...findings };
  const { text, file } = await writeReport('bench/results', report);
  say(`\n${text}\nWritten to ${file}`);
  if (findings.results.some(({ outcome }) => outcome.kind === 'failed')) process.exitCode = 1;
}

interface Group {
  readonly worker: Readonly<Record<string, string>>;
  readonly rows: readonly BenchRow[];
}

/** Rows whose worker is started alike share one set of servers. */
function groupByWorker(rows: readonly BenchRow[]): Group[] {
  const groups = Map.groupBy(rows, ({ worker = {} }) =>
    JSON.stringify('notBuilt' in worker ? {} : worker),
  );
  return [...groups].map(([worker, members]) => ({
    worker: JSON.parse(worker) as Record<string, string>,
    rows: members,
  }));
}

interface Running {
  readonly options: BenchOptions;
  readonly stop: StopRequest;
  readonly findings: Findings;
  readonly withPeers: boolean;
}

async function runGroup(group: Group, running: Running): Promise<void> {
  const { options, stop } = running;
  const { signal, asked } = stop;
  const cast = await startCast({
    stateDir: options.stateDir,
    env: { ...copyEnvironment(), ...oneSlot, ...group.worker },
    say,
    vendorSettings: settings,
    customersSettings: settings,
    signal,
    prepare: (source) => fillSource(source, options.rows),
  });
  const measuring = measureGroup(cast, group, running);
  try {
    await Promise.race([measuring, asked]);
  } finally {
    await cast.stop({ clear: true });
  }
}

async function measureGroup(cast: Cast, group: Group, running: Running): Promise<void> {
  const { options, stop, findings, withPeers } = running;
  await using stack = new AsyncDisposableStack();
  const bench = await openWorkbench({ ...options, cast, signal: stop.signal, say }, stack);
  findings.setting = { ...machineSetting(), ...(await describeSetting(bench)) };
  for (const row of group.rows) {
    if (stop.signal.aborted) return;
    say(`${row.name}: ${row.work} …`);
    findings.results.push({ row, outcome: await runRow(row, bench) });
  }
  if (withPeers) findings.peers.push(...(await measurePeers(bench)));
}

/** A row that fails is in the report with the reason in place of a number, and the next ones run. */
async function runRow(row: BenchRow, bench: Workbench): Promise<Outcome> {
  if (row.worker !== undefined && 'notBuilt' in row.worker) {
    return { kind: 'not run', reason: String(row.worker.notBuilt) };
  }
  try {
    return await row.run(bench);
  } catch (error) {
    if (bench.signal.aborted) return { kind: 'not run', reason: 'the run was stopped' };
    const reason = error instanceof Error ? error.message : String(error);
    say(`  failed: ${reason}`);
    return { kind: 'failed', reason };
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

async function describeSetting(bench: Workbench): Promise<Setting> {
  const { rows } = await bench.sourceClient.query<{ version: string; fsync: string }>(
    /*sql*/ `select version(), current_setting('fsync') as fsync`,
  );
  const version = /^PostgreSQL \S+/.exec(rows[0]?.version ?? '')?.[0] ?? 'PostgreSQL';
  return {
    postgres: `${version}, both ends on this machine, ${JSON.stringify(settings)}, fsync ${rows[0]?.fsync}, no TLS`,
    native: bench.pipe.name,
    rows: `${bench.rows} of ${Math.round(bench.rowBytes)} bytes as text`,
    rounds: bench.rounds,
    ours: `HTTP API, Temporal, checkpoints and fencing on, one data slot; timed from the request until the transfer has ended and the API says SUCCESS`,
  };
}
