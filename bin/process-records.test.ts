import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startChild } from './child.ts';
import { processIdentity } from './process-identity.ts';
import { endRecordedProcesses, isRecordedRunning, recordProcesses } from './process-records.ts';

let folder: string;
let file: string;
const said: string[] = [];
const end = () => endRecordedProcesses(file, { graceMs: 200, say: (line) => said.push(line) });

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'waybill-records-'));
  file = path.join(folder, 'processes.json');
  said.length = 0;
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function startNode(code: string) {
  const output = { onLine: (line: string) => void said.push(line) };
  return startChild({ command: process.execPath, args: ['-e', code], env: {}, output });
}

describe('processes of an earlier run', () => {
  test('are ended, at last by force', async () => {
    const stubborn = await startNode(
      "process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000)",
    );
    await expect.poll(() => said, { timeout: 5000 }).toContain('up');
    recordProcesses(file, new Map([['worker', stubborn.pid]]));
    expect(isRecordedRunning(file)).toBe(true);
    await end();
    expect(await stubborn.exited).toBe('signal SIGKILL');
    expect(said).toContain(
      `Ending the worker (process ${stubborn.pid}) that an earlier run left behind …`,
    );
    expect(isRecordedRunning(file)).toBe(false);
  });

  test('are left alone when their number belongs to another process by now', async () => {
    const other = await startNode('setInterval(() => {}, 1000)');
    recordProcesses(file, new Map([['worker', other.pid]]));
    const record = readFileSync(file, 'utf8').replace(
      processIdentity(other.pid) ?? '',
      'another time',
    );
    writeFileSync(file, record);
    await end();
    expect(said).toEqual([]);
    expect(other.hasExited()).toBe(false);
    await other.stop('SIGKILL', 0);
  });

  test('need not exist', async () => {
    await end();
    expect(said).toEqual([]);
  });
});

test('a process that has ended has no identity', async () => {
  const child = await startNode('');
  await child.exited;
  expect(processIdentity(child.pid)).toBeUndefined();
  expect(processIdentity(process.pid)).toBeDefined();
});
