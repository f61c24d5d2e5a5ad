import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test(
  'the migrations make exactly the tables of the schema files',
  { timeout: 60_000 },
  async () => {
    const kit = ['node_modules/drizzle-kit/bin.cjs', 'generate', '--explain', '--output', 'json'];
    const { stdout } = await promisify(execFile)(process.execPath, kit);
    // Else: npm run db:generate
    expect(JSON.parse(stdout)).toMatchObject({ status: 'no_changes' });
  },
);
