import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Client } from '@temporalio/client';
import type pg from 'pg';
import { readFamilyCpu, readProcessCost } from '../process-cost.ts';
import { workflowIds } from '../../domain/temporal-names.ts';

/** How often one statement ran, and how long it took altogether. */
export interface StatementCount {
  readonly calls: number;
  readonly ms: number;
  readonly text: string;
}

/** Marks our own looking, so that it is not counted. */
export const own = '/* simulation */';

export async function forgetStatements(sql: pg.Client): Promise<void> {
  await sql.query(/*sql*/ `select pg_stat_statements_reset() ${own}`);
}

/** Since `forgetStatements`, in one database, the most frequent first. */
export async function countStatements(sql: pg.Client): Promise<StatementCount[]> {
  const { rows } = await sql.query<{ calls: string; ms: number; text: string }>(/*sql*/ `
    select calls, total_exec_time as ms, regexp_replace(query, '\\s+', ' ', 'g') as text ${own}
    from pg_stat_statements
    where dbid = (select oid from pg_database where datname = current_database())
      and query not like '%simulation%'
    order by calls desc, query`);
  return rows.map(({ calls, ms, text }) => ({ calls: Number(calls), ms, text }));
}

/** Sessions opened so far in a database. */
export async function countSessions(sql: pg.Client): Promise<number> {
  const { rows } = await sql.query<{ sessions: string }>(/*sql*/ `
    select sessions ${own} from pg_stat_database where datname = current_database()`);
  return Number(rows[0]?.sessions ?? 0);
}

/** Events and bytes of the histories of one transfer, by workflow type. */
export interface HistorySize {
  readonly workflows: number;
  readonly events: number;
  readonly bytes: number;
  readonly activities: number;
  /** Workflow tasks that were lost or failed and had to be given out again. */
  readonly lostTasks: number;
}

export interface TransferRef {
  readonly transferId: string;
  readonly destinationId: string;
  readonly modelIds: readonly string[];
}

/** The averages over the transfers; a destination's queue is counted with its latest run. */
export async function measureHistories(
  client: Client,
  transfers: readonly TransferRef[],
): Promise<ReadonlyMap<string, HistorySize>> {
  const found = new Map<string, HistorySize[]>();
  for (const { transferId, destinationId, modelIds } of transfers) {
    const ids = [
      workflowIds.destination(destinationId),
      workflowIds.transfer(transferId),
      ...modelIds.map((modelId) => workflowIds.model(transferId, modelId)),
    ];
    for (const id of ids) {
      const one = await measureHistory(client, id);
      if (one !== undefined) found.set(one.type, [...(found.get(one.type) ?? []), one.size]);
    }
  }
  return new Map([...found].map(([type, sizes]) => [type, average(sizes, transfers.length)]));
}

async function measureHistory(
  client: Client,
  id: string,
): Promise<{ type: string; size: HistorySize } | undefined> {
  const handle = client.workflow.getHandle(id);
  try {
    const { type, historyLength, historySize = 0 } = await handle.describe();
    const { events } = await handle.fetchHistory();
    const count = (name: string) =>
      (events ?? []).filter((event) => Boolean(Reflect.get(event, name))).length;
    const size = {
      workflows: 1,
      events: historyLength,
      bytes: historySize,
      activities: count('activityTaskScheduledEventAttributes'),
      lostTasks:
        count('workflowTaskTimedOutEventAttributes') + count('workflowTaskFailedEventAttributes'),
    };
    return { type, size };
  } catch (error) {
    // A version that runs models inside their transfer has no workflow of that id.
    if (error instanceof Error && error.name === 'WorkflowNotFoundError') return undefined;
    throw error;
  }
}

function average(sizes: readonly HistorySize[], transfers: number): HistorySize {
  const mean = (pick: (size: HistorySize) => number) =>
    sizes.reduce((sum, size) => sum + pick(size), 0) / transfers;
  return {
    workflows: mean((size) => size.workflows),
    events: mean((size) => size.events),
    bytes: mean((size) => size.bytes),
    activities: mean((size) => size.activities),
    lostTasks: mean((size) => size.lostTasks),
  };
}

/** Processor seconds so far of a process with its children, and the memory of now. */
export interface Cost {
  readonly cpuSeconds: number | undefined;
  readonly residentMb: number | undefined;
}

export async function readCost(pids: readonly number[]): Promise<Cost> {
  const each = await Promise.all(pids.map((pid) => readProcessCost(pid)));
  const resident = each.map(({ residentMb }) => residentMb ?? 0);
  return { cpuSeconds: await readFamilyCpu(pids), residentMb: Math.max(0, ...resident) };
}

export async function folderBytes(folder: string): Promise<number> {
  const names = await readdir(folder);
  const sizes = await Promise.all(names.map((name) => stat(path.join(folder, name))));
  return sizes.reduce((sum, { size }) => sum + size, 0);
}

/** Memory of a server and its sessions, shared pages counted once. Undefined where it cannot be had. */
export async function sharedFairlyMb(pid: number): Promise<number | undefined> {
  try {
    const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim();
    const pids = [String(pid), ...children.split(' ').filter((each) => each !== '')];
    const texts = await Promise.all(
      pids.map((each) => readFile(`/proc/${each}/smaps_rollup`, 'utf8').catch(() => '')),
    );
    const kib = texts.map((text) => Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0));
    return (kib.reduce((sum, each) => sum + each, 0) * 1024) / 1e6;
  } catch {
    return undefined;
  }
}
