import { readFile, readdir, writeFile } from 'node:fs/promises';
import type pg from 'pg';

/** What a process has cost so far. Linux only: elsewhere both are undefined. */
export interface ProcessCost {
  /** User and system time of all its threads. */
  readonly cpuSeconds: number | undefined;
  /** Memory that is resident now, and the most since `forgetPeak`, in megabytes of 10^6 bytes. */
  readonly residentMb: number | undefined;
  readonly peakMb: number | undefined;
}

/** The kernel counts in hundredths of a second on every platform that Node runs on. */
const ticksPerSecond = 100;

export async function readProcessCost(pid: number): Promise<ProcessCost> {
  try {
    const { ownSeconds } = await readTimes(pid);
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    return {
      cpuSeconds: ownSeconds,
      residentMb: readMegabytes(status, 'VmRSS'),
      peakMb: readMegabytes(status, 'VmHWM'),
    };
  } catch {
    return { cpuSeconds: undefined, residentMb: undefined, peakMb: undefined };
  }
}

/**
 * CPU of these processes, of their children that have ended and of those that run, in seconds. Unlike wall
 * time it says the same on a busy machine. Undefined where there is no /proc.
 */
export async function readFamilyCpu(pids: readonly number[]): Promise<number | undefined> {
  let seconds = 0;
  try {
    for (const entry of await readdir('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      const times = await readTimes(Number(entry)).catch(() => undefined);
      if (times === undefined) continue;
      if (pids.includes(Number(entry))) seconds += times.ownSeconds + times.endedChildrenSeconds;
      else if (pids.includes(times.parent)) seconds += times.ownSeconds;
    }
    return seconds;
  } catch {
    return undefined;
  }
}

/** Of all processes of a group together, in megabytes; what they share counts for each. */
export async function readGroupMemory(group: number): Promise<number | undefined> {
  let megabytes: number | undefined;
  for (const entry of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(entry)) continue;
    const times = await readTimes(Number(entry)).catch(() => undefined);
    if (times?.group !== group) continue;
    const status = await readFile(`/proc/${entry}/status`, 'utf8').catch(() => '');
    megabytes = (megabytes ?? 0) + (readMegabytes(status, 'VmRSS') ?? 0);
  }
  return megabytes;
}

/** The process that started this session's own: the server. */
export async function findServerPid(client: pg.Client): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>(/*sql*/ `select pg_backend_pid() as pid`);
  const times = await readTimes(rows[0]?.pid ?? 0).catch(() => undefined);
  return times?.parent;
}

interface Times {
  readonly parent: number;
  readonly group: number;
  readonly ownSeconds: number;
  readonly endedChildrenSeconds: number;
}

async function readTimes(pid: number): Promise<Times> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name before the last bracket may hold spaces. After it: state, parent, …, then four times in ticks.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15);
  return {
    parent: fields[1] ?? 0,
    group: fields[2] ?? 0,
    ownSeconds: (user + system) / ticksPerSecond,
    endedChildrenSeconds: (childUser + childSystem) / ticksPerSecond,
  };
}

/** Begins the peak anew: the start of a worker, when it bundles the workflows, takes more than its work. */
export async function forgetPeak(pid: number): Promise<void> {
  // Where the kernel has no such file the peak stays that of the whole life, which is more, never less.
  await writeFile(`/proc/${pid}/clear_refs`, '5').catch(() => undefined);
}

function readMegabytes(status: string, name: string): number | undefined {
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  return kib === undefined ? undefined : (Number(kib) * 1024) / 1e6;
}
