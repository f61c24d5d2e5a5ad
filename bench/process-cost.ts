import { readFile, writeFile } from 'node:fs/promises';

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
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name before the bracket may hold spaces; user and system time are the 12th and 13th field after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
      residentMb: readMegabytes(status, 'VmRSS'),
      peakMb: readMegabytes(status, 'VmHWM'),
    };
  } catch {
    return { cpuSeconds: undefined, residentMb: undefined, peakMb: undefined };
  }
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
