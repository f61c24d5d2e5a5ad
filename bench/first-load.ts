import type pg from 'pg';
import { startTransfer, waitForTransfers, type ApiClient } from '../bin/demo-api.ts';
import { compareCopies, type TableCopy } from '../bin/demo-compare.ts';
import { connect, type Login } from '../bin/demo-vendor.ts';
import { Failure } from '../domain/failure.ts';
import type { NativePipe } from './native-copy.ts';
import { findServerPid, forgetPeak, readFamilyCpu, readProcessCost } from './process-cost.ts';
import { median, type BenchResult } from './report.ts';
import { columns, sourceTable, tenantId } from './source-rows.ts';

/** What the row of the table is measured on. */
export interface Bench {
  readonly api: ApiClient;
  readonly source: Login;
  readonly destination: Login;
  readonly rows: number;
  readonly rounds: number;
  readonly rowBytes: number;
  readonly pipe: NativePipe;
  /** Gives the database's tables a new, empty home. @returns the id of a destination that points there */
  readonly addDestination: (schema: string) => Promise<string>;
  readonly workerPid: () => number;
  /** Of all its servers, the worker among them. */
  readonly waybillPids: () => readonly number[];
  readonly say: (line: string) => void;
}

interface Tools extends Bench {
  readonly sourceClient: pg.Client;
  readonly destinationClient: pg.Client;
  /** Both database servers. */
  readonly serverPids: readonly number[];
}

interface Measured {
  readonly seconds: number;
  /** Of everything that took part, on both sides. */
  readonly cpuSeconds: number | undefined;
}

interface Ours extends Measured {
  readonly workerCpuSeconds: number | undefined;
  readonly idleMb: number | undefined;
  readonly peakMb: number | undefined;
}

const nativeTable = 'public.native_orders';
/** An empty table with the column types that Waybill gives them. */
const typesTable = 'public.landed_types';
/** Often enough to add little to the time, seldom enough to take little from the machine. */
const pollMs = 100;

/**
 * First row of the table: a first load through the whole of Waybill against a binary COPY pipe into a table
 * without a key, whose key is built afterwards. Both land the same columns with the same types.
 */
export async function benchFirstLoad(bench: Bench): Promise<BenchResult> {
  await using stack = new AsyncDisposableStack();
  const open = async (login: Login) => stack.adopt(await connect(login), (client) => client.end());
  const [sourceClient, destinationClient] = [
    await open(bench.source),
    await open(bench.destination),
  ];
  const servers = [await findServerPid(sourceClient), await findServerPid(destinationClient)];
  const tools = { ...bench, sourceClient, destinationClient, serverPids: known(servers) };
  const ours: Ours[] = [];
  const native: Measured[] = [];
  for (let round = 1; round <= bench.rounds; round += 1) {
    // The first of ours gives the types; after that each side begins every other round.
    if (round % 2 === 0) native.push(await loadNative(tools));
    ours.push(await loadOurs(tools, round));
    if (round % 2 === 1) native.push(await loadNative(tools));
    const [mine, theirs] = [ours.at(-1)?.seconds ?? 0, native.at(-1)?.seconds ?? 0];
    bench.say(
      `round ${round}: ours ${mine.toFixed(2)} s, native ${theirs.toFixed(2)} s, rows equal`,
    );
  }
  return summarize(bench, ours, native);
}

async function loadOurs(tools: Tools, round: number): Promise<Ours> {
  const { api, destinationClient, workerPid } = tools;
  const schema = `round_${round}`;
  const destinationId = await tools.addDestination(schema);
  await settle(tools);
  await forgetPeak(workerPid());
  const before = await readProcessCost(workerPid());
  const measured = await measure([...tools.serverPids, ...tools.waybillPids()], async () => {
    const id = await startTransfer(api, destinationId);
    await waitForTransfers(api, [id], { everyMs: pollMs });
  });
  const after = await readProcessCost(workerPid());
  await requireEqual(tools, `${schema}.orders`);
  await destinationClient.query(
    /*sql*/ `create table if not exists ${typesTable} (like ${schema}.orders)`,
  );
  await destinationClient.query(/*sql*/ `drop schema ${schema} cascade`);
  const workerCpuSeconds = difference(before.cpuSeconds, after.cpuSeconds);
  return { ...measured, workerCpuSeconds, idleMb: before.residentMb, peakMb: after.peakMb };
}

async function loadNative(tools: Tools): Promise<Measured> {
  const { destinationClient, source, destination } = tools;
  const selected = columns.map((column) => column.selected).join(', ');
  const names = columns.map((column) => column.name).join(', ');
  await settle(tools);
  // The psql processes are children of this one.
  const measured = await measure([...tools.serverPids, process.pid], async () => {
    await destinationClient.query(/*sql*/ `create table ${nativeTable} (like ${typesTable})`);
    await tools.pipe.run({
      source,
      destination,
      read: /*sql*/ `copy (select ${selected} from ${sourceTable} where tenant = '${tenantId}') to stdout (format binary)`,
      write: /*sql*/ `copy ${nativeTable} (${names}) from stdin (format binary)`,
    });
    await destinationClient.query(/*sql*/ `alter table ${nativeTable} add primary key (id)`);
  });
  await requireEqual(tools, nativeTable);
  await destinationClient.query(/*sql*/ `drop table ${nativeTable}`);
  return measured;
}

async function measure(pids: readonly number[], work: () => Promise<void>): Promise<Measured> {
  const cpuBefore = await readFamilyCpu(pids);
  const startedAtMs = performance.now();
  await work();
  const seconds = (performance.now() - startedAtMs) / 1000;
  return { seconds, cpuSeconds: difference(cpuBefore, await readFamilyCpu(pids)) };
}

/** Neither side pays for what the other, or the last round, left to be written. */
async function settle({ sourceClient, destinationClient }: Tools): Promise<void> {
  await Promise.all([
    sourceClient.query(/*sql*/ `checkpoint`),
    destinationClient.query(/*sql*/ `checkpoint`),
  ]);
}

/** No time counts before every row has arrived as it was. @throws Failure `bug` */
async function requireEqual(tools: Tools, table: string): Promise<void> {
  const shape = { columns: columns.map(({ name }) => name), key: 'id', keyKind: 'text' } as const;
  const source: TableCopy = { ...shape, client: tools.sourceClient, table: sourceTable };
  const result = await compareCopies(source, { ...shape, client: tools.destinationClient, table });
  if (result.differing.length > 0 || result.rows !== tools.rows) {
    throw new Failure('bug', `${table} differs from the source: its time says nothing.`);
  }
}

function difference(before: number | undefined, after: number | undefined): number | undefined {
  return before === undefined || after === undefined ? undefined : after - before;
}

function known(values: readonly (number | undefined)[]): number[] {
  return values.filter((value) => value !== undefined);
}

function summarize(bench: Bench, ours: readonly Ours[], native: readonly Measured[]): BenchResult {
  const secondsOf = (rounds: readonly Measured[]) => rounds.map(({ seconds }) => seconds);
  const seconds = median(secondsOf(ours));
  const millions = bench.rows / 1e6;
  return {
    work: 'First load, Postgres to Postgres, one stream',
    against: `${bench.pipe.name}, into a table without a key, then ADD PRIMARY KEY`,
    ratioMax: 1.15,
    ours: secondsOf(ours),
    native: secondsOf(native),
    numbers: {
      'ours, rows/s': bench.rows / seconds,
      'ours, MB/s': (bench.rows * bench.rowBytes) / 1e6 / seconds,
      'native, rows/s': bench.rows / median(secondsOf(native)),
      'ours, CPU of all processes, s per million rows': medianOf(
        ours.map((each) => each.cpuSeconds),
        millions,
      ),
      'native, CPU of all processes, s per million rows': medianOf(
        native.map((each) => each.cpuSeconds),
        millions,
      ),
      'worker CPU, s per million rows': medianOf(
        ours.map((each) => each.workerCpuSeconds),
        millions,
      ),
      'worker memory before the first load, MB resident': ours[0]?.idleMb,
      'worker memory at its peak while loading, MB resident': known(
        ours.map((each) => each.peakMb),
      ).sort((a, b) => b - a)[0],
    },
  };
}

function medianOf(values: readonly (number | undefined)[], per: number): number | undefined {
  const present = known(values);
  return present.length === 0 ? undefined : median(present) / per;
}
