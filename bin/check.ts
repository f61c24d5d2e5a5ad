import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runTests } from './run-tests.ts';

// `npm run verify` and `npm test`. Both check formatting, lint, types and unused code, then run the
// tests: verify those that need no server and only until something fails, test all of them. Words after
// the command run only the test files whose path has one of them. The last line is always `N passed, N
// failed`.

interface Step {
  readonly title: string;
  /** The tool's program below node_modules: started by path, so that it runs on this Node. */
  readonly program: string;
  readonly args: readonly string[];
}

const readingSteps: readonly Step[] = [
  { title: 'formatting', program: 'oxfmt/bin/oxfmt', args: ['--check', '.'] },
  { title: 'lint', program: 'oxlint/bin/oxlint', args: ['.'] },
  { title: 'types', program: 'typescript/bin/tsc', args: ['--noEmit'] },
  { title: 'unused code', program: 'knip/bin/knip.js', args: ['--no-progress'] },
];

const root = fileURLToPath(new URL('..', import.meta.url));
const stopping = new AbortController();
process.on('SIGINT', () => stopping.abort(130));
process.on('SIGTERM', () => stopping.abort(143));
process.exit(await main());

async function main(): Promise<number> {
  const [mode, ...filters] = process.argv.slice(2);
  const isVerify = mode === 'verify';
  let failedSteps = 0;
  for (const step of filters.length > 0 ? [] : readingSteps) {
    if (!(await timed(step.title, () => runTool(step)))) failedSteps += 1;
    if (isVerify && failedSteps > 0) return close({ passed: 0, failed: failedSteps });
  }
  const projects = isVerify ? ['alone'] : ['alone', 'servers'];
  const counts = { passed: 0, failed: failedSteps };
  await timed('tests', async () => {
    const result = await runTests({ root, projects, filters, signal: stopping.signal });
    for (const note of result.notes) console.log(note);
    counts.passed = result.passed;
    counts.failed += result.failed;
    return result.failed === 0;
  });
  return close(counts);
}

async function timed(title: string, work: () => Promise<boolean>): Promise<boolean> {
  if (stopping.signal.aborted) return false;
  console.log(`\n── ${title} ──`);
  const startedAt = performance.now();
  const ok = await work();
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`── ${title}: ${ok ? 'ok' : 'FAILED'} in ${seconds} s`);
  return ok;
}

/** Whether the tool ended well. Its output goes straight to the terminal. */
function runTool({ program, args }: Step): Promise<boolean> {
  const path = join(root, 'node_modules', program);
  const child: ChildProcess = spawn(process.execPath, [path, ...args], {
    cwd: root,
    stdio: 'inherit',
    signal: stopping.signal,
  });
  return new Promise((resolve, reject) => {
    child.once('error', (error) => (stopping.signal.aborted ? resolve(false) : reject(error)));
    child.once('close', (code) => resolve(code === 0));
  });
}

/** @returns the exit code */
function close({ passed, failed }: { passed: number; failed: number }): number {
  console.log(`\n${passed} passed, ${failed} failed`);
  if (stopping.signal.aborted) return stopping.signal.reason as number;
  return failed === 0 ? 0 : 1;
}
