import { readFile } from 'node:fs/promises';

/** What a process has cost so far. Linux only: elsewhere both are undefined. */
export interface ProcessCost {
  /** User and system time of all its threads. */
  readonly cpuSeconds: number | undefined;
  /** The most memory it ever had resident, in megabytes of 10^6 bytes. */
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
    const peakKib = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
      peakMb: peakKib === undefined ? undefined : (Number(peakKib) * 1024) / 1e6,
    };
  } catch {
    return { cpuSeconds: undefined, peakMb: undefined };
  }
}
