import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../bin/run-command.ts';
import { projectRoot } from '../bin/system-services.ts';

// Most of the time passes while Temporal waits for the heartbeat of the worker that was killed.
const limitMs = 240_000;

test('the demo runs to its end, and every row is equal', { timeout: limitMs }, async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'waybill-demo-'));
  try {
    const args = [path.join(projectRoot, 'bin/demo.ts'), '--rows', '10_000', '--state-dir', folder];
    const demo = await runCommand(process.execPath, args, { timeoutMs: limitMs - 10_000 });
    expect(demo.failed, `${demo.stdout}\n${demo.stderr}`).toBeUndefined();
    expect(demo.stdout).toMatch(/west: 4,831 rows of 8 columns compared by hash: all equal/);
    expect(demo.stdout).toMatch(/east: \d,\d{3} rows of 8 columns compared by hash: all equal/);
    expect(demo.stdout.match(/exactly the rows that changed/g)).toHaveLength(2);
    expect(demo.stdout).toContain('kill -9 of the worker');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
