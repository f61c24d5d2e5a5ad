import { removeRunFolder } from '../harness/run-folder.ts';

/** Should this process be stopped by a signal, nothing of what it started in the folder goes on. */
export function endWithUs(folder: string): void {
  process.once('exit', () => removeRunFolder(folder));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      removeRunFolder(folder);
      process.kill(process.pid, signal);
    });
  }
}
