import { relative } from 'node:path';
import { createVitest, type TestCase, type TestModule } from 'vitest/node';

interface TestRun {
  readonly root: string;
  /** Of vitest.config.ts: `alone`, `servers`. */
  readonly projects: readonly string[];
  /** Only test files whose path has one of these words; none: all. */
  readonly filters: readonly string[];
  /** Ends the run early and stops the servers. */
  readonly signal: AbortSignal;
}

export interface TestResult {
  readonly passed: number;
  readonly failed: number;
  /** What the counts do not say: files that could not be run, tests that were left out. */
  readonly notes: readonly string[];
}

/** Runs the tests and counts them. Ends in order when told to: the servers of the tests are stopped first. */
export async function runTests({ root, projects, filters, signal }: TestRun): Promise<TestResult> {
  const vitest = await withoutNewSignalHandlers(() =>
    createVitest({ root, run: true, watch: false, project: [...projects] }),
  );
  const interrupted = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  try {
    const run = vitest.start([...filters]).catch((error: unknown) => vitest.logger.error(error));
    await Promise.race([run, interrupted]);
    return count(vitest.state.getTestModules(), vitest.state.getUnhandledErrors().length, root);
  } finally {
    await vitest.close();
  }
}

/**
 * vitest ends the process at once on a signal, and would leave the servers running that its tests had
 * started.
 */
async function withoutNewSignalHandlers<T>(work: () => Promise<T>): Promise<T> {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const before = new Set(signals.flatMap((name) => process.listeners(name)));
  const result = await work();
  for (const name of signals) {
    for (const listener of process.listeners(name)) {
      if (!before.has(listener)) process.off(name, listener);
    }
  }
  return result;
}

/**
 * Whatever is wrong without a failed test to show for it counts as one failure: a file that could not
 * be loaded, an error outside all tests, a run without any test.
 */
function count(files: readonly TestModule[], errors: number, root: string): TestResult {
  const tests = files.flatMap((file) => [...file.children.allTests()]);
  const passed = tests.filter((test) => test.result().state === 'passed').length;
  const failed = tests.filter((test) => test.result().state === 'failed').length;
  const leftOut = tests.filter((test) => !['passed', 'failed'].includes(test.result().state));
  const broken = files.filter((file) => file.state() === 'failed' && !hasFailedTest(file));
  const notes = [
    ...broken.map((file) => `Could not be run: ${relative(root, file.moduleId)}`),
    ...leftOut.map((test) => `Not run: ${describe(test, root)}`),
  ];
  if (errors > 0) notes.push(`Errors outside all tests: ${errors}, see above.`);
  if (passed + failed === 0) notes.push('No test was run, which proves nothing.');
  const others = broken.length + errors + (mustRunAll() ? leftOut.length : 0);
  const nothing = passed + failed + others === 0 ? 1 : 0;
  return { passed, failed: failed + others + nothing, notes };
}

function hasFailedTest(file: TestModule): boolean {
  return [...file.children.allTests('failed')].length > 0;
}

function describe(test: TestCase, root: string): string {
  return `${test.fullName} (${relative(root, test.module.moduleId)})`;
}

/** Set where a test that was left out is a failure: a release, a machine that should have every tool. */
function mustRunAll(): boolean {
  // oxlint-disable-next-line node/no-process-env -- a switch of the test run, not of the product
  return process.env.WAYBILL_REQUIRE_ALL === '1';
}
