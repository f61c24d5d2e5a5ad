import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';

const folder = fileURLToPath(new URL('../../workflows/', import.meta.url));
const kilobytesMax = 600;

let code: string;

beforeAll(async () => {
  const logger = new DefaultLogger('ERROR');
  const bundle = await bundleWorkflowCode({ workflowsPath: `${folder}workflows.ts`, logger });
  // Its source map names every file of every package, used or not.
  code = bundle.code.replace(/\/\/# sourceMappingURL=.*$/m, '');
}, 60_000);

test('workflows bring along no schemas, drivers or loggers', () => {
  const modules = [...code.matchAll(/node_modules\/((?:@[\w.-]+\/)?[\w.-]+)\//g)];
  const packages = new Set(modules.map(([, name]) => name));
  expect(packages).toContain('@temporalio/workflow');
  for (const heavy of ['zod', 'pg', 'drizzle-orm', 'pino', 'hono']) {
    expect(packages).not.toContain(heavy);
  }
});

test('the bundle stays light: each cached workflow of a worker shares its heap', () => {
  expect(Math.round(code.length / 1000)).toBeLessThan(kilobytesMax);
});

test('whatever workflows throw ends them: a plain error would be tried again for ever', () => {
  const thrown = readdirSync(folder).flatMap((file) => {
    const text = readFileSync(`${folder}${file}`, 'utf8');
    return [...text.matchAll(/\bthrow (.+);/g)].map(([, what = '']) => `${file}: ${what}`);
  });
  // `error` is what an activity or child failed with, passed on.
  const wrong = thrown.filter((line) => !/: (error|ApplicationFailure\..*)$/.test(line));
  expect(thrown.length).toBeGreaterThan(0);
  expect(wrong).toEqual([]);
});
