import type pg from 'pg';
import { startTransfer, waitForTransfers, type ApiClient } from '../bin/demo-api.ts';
import { compareCopies, type TableCopy } from '../bin/demo-compare.ts';
import { connect, type Login } from '../bin/demo-vendor.ts';
import { Failure } from '../domain/failure.ts';
import type { NativePipe } from './native-copy.ts';
import { forgetPeak, readProcessCost, type ProcessCost } from './process-cost.ts';
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
  readonly say: (line: string) => void;
}

interface Tools extends Bench {
  readonly sourceClient: pg.Client;
  readonly destinationClient: pg.Client;
}

interface Ours {
  readonly seconds: number;
  readonly cpuSeconds: number | undefined;
  readonly idleMb: number | undefined;
  readonly peakMb: number | undefined;
}

const nativeTable = 'public.native_orders';
const pollMs = 50;

/**
 * First row of the table: a first load through the whole of Waybill against a binary COPY pipe into a table
 * without a key, whose key is built afterwards. Both land the same columns with the same types.
 */
export async function benchFirstLoad(bench: Bench): Promise<BenchResult> {
  await using stack = new AsyncDisposableStack();
  const open = async (login: Login) => stack.adopt(await connect(login), (client) => client.end());
  const tools = {
    ...bench,
    sourceClient: await open(bench.source),
    destinationClient: await open(bench.destination),
  };
  const ours: Ours[] = [];
  const native: number[] = [];
  for (let round = 1; round <= bench.rounds; round += 1) {
    const schema = `round_${round}`;
    const destinationId = await bench.addDestination(schema);
    // The native side copies the column types of our table, so ours comes first; then they take turns.
    const mine = await loadOurs(tools, destinationId, `${schema}.orders`);
    const theirs = await loadNative(tools, `${schema}.orders`);
    bench.say(
      `round ${round}: ours ${mine.seconds.toFixed(2)} s, native ${theirs.toFixed(2)} s, rows equal`,
    );
    ours.push(mine);
    native.push(theirs);
    await tools.destinationClient.query(/*sql*/ `drop schema ${schema} cascade`);
  }
  return summarize(bench, ours, native);
}

async function loadOurs(tools: Tools, destinationId: string, table: string): Promise<Ours> {
  await settle(tools);
  await forgetPeak(tools.workerPid());
  const before = await readProcessCost(tools.workerPid());
  const startedAtMs = performance.now();
  const id = await startTransfer(tools.api, destinationId);
  await waitForTransfers(tools.api, [id], { everyMs: pollMs });
  const seconds = (performance.now() - startedAtMs) / 1000;
  const after = await readProcessCost(tools.workerPid());
  await requireEqual(tools, table);
  const { residentMb: idleMb } = before;
  return { seconds, cpuSeconds: difference(before, after), idleMb, peakMb: after.peakMb };
}

async function loadNative(tools: Tools, likeTable: string): Promise<number> {
  const { destinationClient, source, destination } = tools;
  await destinationClient.query(/*sql*/ `drop table if exists ${nativeTable}`);
  await settle(tools);
  const startedAtMs = performance.now();
  await destinationClient.query(/*sql*/ `create table ${nativeTable} (like ${likeTable})`);
  const selected = columns.map((column) => column.selected).join(', ');
  const names = columns.map((column) => column.name).join(', ');
  await tools.pipe.run({
    source,
    destination,
    read: /*sql*/ `copy (select ${selected} from ${sourceTable} where tenant = '${tenantId}') to stdout (format binary)`,
    write: /*sql*/ `copy ${nativeTable} (${names}) from stdin (format binary)`,
  });
  await destinationClient.query(/*sql*/ `alter table ${nativeTable} add primary key (id)`);
  const seconds = (performance.now() - startedAtMs) / 1000;
  await requireEqual(tools, nativeTable);
  await destinationClient.query(/*sql*/ `drop table ${nativeTable}`);
  return seconds;
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

function difference(before: ProcessCost, after: ProcessCost): number | undefined {
  if (before.cpuSeconds === undefined || after.cpuSeconds === undefined) return undefined;
  return after.cpuSeconds - before.cpuSeconds;
}

function summarize(bench: Bench, ours: readonly Ours[], native: readonly number[]): BenchResult {
  const seconds = median(ours.map((round) => round.seconds));
  const cpu = known(ours.map((round) => round.cpuSeconds));
  const idle = known(ours.map((round) => round.idleMb));
  const peaks = known(ours.map((round) => round.peakMb));
  return {
    work: 'First load, Postgres to Postgres, one stream',
    against: `${bench.pipe.name}, into a table without a key, then ADD PRIMARY KEY`,
    ratioMax: 1.15,
    ours: ours.map((round) => round.seconds),
    native,
    numbers: {
      'ours, rows/s': bench.rows / seconds,
      'ours, MB/s': (bench.rows * bench.rowBytes) / 1e6 / seconds,
      'native, rows/s': bench.rows / median(native),
      'worker CPU, s per million rows':
        cpu.length === 0 ? undefined : median(cpu) / (bench.rows / 1e6),
      'worker memory before the first load, MB resident': idle[0],
      'worker memory at its peak while loading, MB resident':
        peaks.length === 0 ? undefined : Math.max(...peaks),
    },
  };
}

function known(values: readonly (number | undefined)[]): number[] {
  return values.filter((value) => value !== undefined);
}
