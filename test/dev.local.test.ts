import { existsSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startChild, type Child } from '../bin/child.ts';
import { endPostgres } from '../bin/embedded-postgres.ts';
import { processIdentity } from '../bin/process-identity.ts';
import { endRecordedProcesses } from '../bin/process-records.ts';
import { testServers } from './harness/servers.ts';

interface DevInfo {
  readonly api_url: string;
  readonly api_key: string;
  readonly staging_api_key: string;
  readonly temporal_ui_url: string;
  readonly database_url: string;
  readonly pids: Record<'api' | 'worker' | 'temporal' | 'postgres', number>;
}

const startMs = 60_000;
const freePorts = ['--api-port', '0', '--temporal-port', '0', '--database-port', '0'];
const quiet = () => undefined;

let stateDir: string;
let lines: string[];
const supervisors: Child[] = [];

beforeEach(async () => {
  // Open to all, since Postgres runs as another user when we are root.
  stateDir = await mkdtemp(path.join(testServers().folder, 'dev-'));
  lines = [];
});

afterEach(async () => {
  for (const each of supervisors.splice(0)) await each.stop('SIGTERM', 40_000);
  await endRecordedProcesses(path.join(stateDir, 'processes.json'), { graceMs: 0, say: quiet });
  await endPostgres(path.join(stateDir, 'postgres'), quiet);
});

async function runDev(args: readonly string[]): Promise<Child> {
  const child = await startChild({
    command: process.execPath,
    args: ['bin/dev.ts', '--state-dir', stateDir, ...args],
    env: process.env,
    output: { onLine: (line) => void lines.push(line) },
  });
  supervisors.push(child);
  return child;
}

const infoFile = () => path.join(stateDir, 'dev.json');
const readInfo = () => JSON.parse(readFileSync(infoFile(), 'utf8')) as DevInfo;
const isRunning = (pid: number) => processIdentity(pid) !== undefined;
const said = () => lines.join('\n');

async function startDev(): Promise<{ supervisor: Child; info: DevInfo }> {
  // A killed run leaves its file behind until the next one has begun.
  rmSync(infoFile(), { force: true });
  const supervisor = await runDev(freePorts);
  await expect
    .poll(() => supervisor.hasExited() || existsSync(infoFile()), { timeout: startMs })
    .toBe(true);
  expect(supervisor.hasExited(), said()).toBe(false);
  return { supervisor, info: readInfo() };
}

async function ask(info: DevInfo, route: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${info.api_url}${route}`, {
    headers: { 'X-API-KEY': info.api_key },
  });
  return { status: response.status, body: await response.json() };
}

async function createProduct(info: DevInfo): Promise<void> {
  const response = await fetch(`${info.api_url}/products`, {
    method: 'POST',
    headers: { 'X-API-KEY': info.api_key, 'Content-Type': 'application/json' },
    body: JSON.stringify({ product: { product_name: 'kept', models: [] } }),
  });
  expect(response.status, await response.text()).toBeLessThan(300);
}

test('a child that dies is started again, and dev.json names the new one', async () => {
  const { info } = await startDev();
  expect((await ask(info, '/readyz')).status).toBe(200);
  expect((await fetch(info.temporal_ui_url)).status).toBe(200);
  for (const role of ['worker', 'api', 'temporal', 'postgres'] as const) {
    process.kill(info.pids[role], 'SIGKILL');
    await expect.poll(() => readInfo().pids[role], { timeout: startMs }).not.toBe(info.pids[role]);
  }
  expect(said()).toContain('The worker ended (signal SIGKILL).');
  expect(said()).toContain('The worker runs again');
  await expect
    .poll(() => ask(info, '/readyz').then((answer) => answer.status, String), { timeout: startMs })
    .toBe(200);
});

test('SIGTERM stops every child and leaves no dev.json behind', async () => {
  const { supervisor, info } = await startDev();
  supervisor.signal('SIGTERM');
  expect(await supervisor.exited).toBe('exit code 0');
  expect(Object.values(info.pids).filter(isRunning)).toEqual([]);
  expect(existsSync(infoFile())).toBe(false);
});

test.each([
  ['alone', () => []],
  ['with its children', (info: DevInfo) => Object.values(info.pids)],
])('after SIGKILL, %s, it starts again with nothing lost', async (_how, others) => {
  const { supervisor, info } = await startDev();
  await createProduct(info);
  for (const pid of [supervisor.pid, ...others(info)]) process.kill(pid, 'SIGKILL');
  await supervisor.exited;
  const { info: again } = await startDev();
  expect({ ...again, pids: undefined }).toEqual({ ...info, pids: undefined });
  expect(Object.values(info.pids).filter(isRunning)).toEqual([]);
  expect(JSON.stringify((await ask(again, '/products')).body)).toContain('kept');
});

test('a second one on the same folder is refused, and so are ports that are taken', async () => {
  const { info } = await startDev();
  const second = await runDev(freePorts);
  expect(await second.exited).toBe('exit code 1');
  expect(said()).toContain(`Waybill already runs in ${stateDir}`);

  const port = new URL(info.api_url).port;
  stateDir = await mkdtemp(path.join(testServers().folder, 'dev-'));
  const third = await runDev(['--api-port', port, '--temporal-port', '0', '--database-port', '0']);
  expect(await third.exited).toBe('exit code 1');
  expect(said()).toContain(`Port ${port} for the API is taken`);
  expect(said()).toContain('--api-port');
});
