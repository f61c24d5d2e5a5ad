import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../bin/run-command.ts';
import { projectRoot } from '../bin/system-services.ts';
import { startSystem } from '../bin/system.ts';
import { must } from '../lib/must.ts';

test(
  'the walk in the README brings the rows of one tenant over',
  { timeout: 180_000 },
  async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'waybill-readme-'));
    const quiet = () => undefined;
    const system = await startSystem({
      stateDir: path.join(folder, '.waybill'),
      ports: { api: 0, temporal: 0, database: 0 },
      env: process.env,
      say: quiet,
    });
    try {
      await symlink(path.join(projectRoot, 'node_modules'), path.join(folder, 'node_modules'));
      const walk = await readWalk();
      const result = await runCommand('bash', ['-euo', 'pipefail', '-c', walk], {
        cwd: folder,
        timeoutMs: 120_000,
      });
      expect(result.failed, result.stderr).toBeUndefined();
      expect(result.stdout).toContain('"status":"SUCCESS"');
      const rows = must(result.stdout.split('"status":"SUCCESS"').at(-1), 'the table at the end');
      expect(rows).toMatch(/│ 1 .*'12\.50'/);
      expect(rows).toMatch(/│ 2 .*'7'/);
      expect(rows).not.toContain("'99'");
    } finally {
      await system.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
);

/** As printed; only the command line is started without npm, which would look for a package in the folder. */
async function readWalk(): Promise<string> {
  const readme = await readFile(path.join(projectRoot, 'README.md'), 'utf8');
  const [, walk] = /<!-- walk -->\n```sh\n([\s\S]+?)```/.exec(readme) ?? [];
  const command = `${process.execPath} ${path.join(projectRoot, 'bin/waybill.ts')}`;
  return must(walk, 'the walk').replace('npm run --silent waybill --', command);
}
