import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startChild } from './child.ts';
import { openStateDir } from './state-dir.ts';

let folder: string;
const said: string[] = [];
const open = () => openStateDir(path.join(folder, 'state'), (line) => said.push(line));

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'waybill-state-'));
  said.length = 0;
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the state folder', () => {
  test('keeps its secrets, for its owner only', async () => {
    const first = await open();
    const secrets = first.readSecrets();
    expect(secrets.sealKey).toMatch(/^dev:[\w-]{43}$/);
    first.writeSecrets({ ...secrets, apiKeys: { prod: 'p', staging: 's' } });
    expect(statSync(first.file('secrets.json')).mode & 0o777).toBe(0o600);
    first.close();
    const second = await open();
    expect(second.readSecrets()).toEqual({ ...secrets, apiKeys: { prod: 'p', staging: 's' } });
    second.close();
  });

  test('serves one system at a time', async () => {
    const first = await open();
    await expect(open()).rejects.toThrow(
      `Waybill already runs in ${first.path} (process ${process.pid})`,
    );
    first.close();
    (await open()).close();
  });

  test('is waited for while its system stops', async () => {
    const first = await open();
    first.markStopping();
    const second = open();
    await expect.poll(() => said).toEqual(['Waiting for the earlier run to stop …']);
    first.close();
    (await second).close();
  });

  test('is free again when its owner was killed', async () => {
    const code = `
      const { openStateDir } = await import(${JSON.stringify(path.resolve('bin/state-dir.ts'))});
      await openStateDir(${JSON.stringify(path.join(folder, 'state'))}, () => {});
      console.log('open');
      setInterval(() => {}, 1000);`;
    const lines: string[] = [];
    const owner = await startChild({
      command: process.execPath,
      args: ['--input-type=module', '-e', code],
      env: {},
      output: { onLine: (line) => void lines.push(line) },
    });
    await expect.poll(() => lines, { timeout: 10_000 }).toContain('open');
    await expect(open()).rejects.toThrow(`(process ${owner.pid})`);
    await owner.stop('SIGKILL', 0);
    (await open()).close();
  }, 20_000);
});
