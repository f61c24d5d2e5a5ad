import { mkdir, mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Client, Connection } from '@temporalio/client';
import { searchAttributes } from '../domain/temporal-names.ts';
import { testServers } from '../test/harness/servers.ts';
import { startChild } from './child.ts';
import { findFreePort } from './free-port.ts';
import { runCommand } from './run-command.ts';
import { findTemporalBinary } from './temporal-binary.ts';
import { startTemporal } from './temporal-server.ts';

const env = process.env;
const binary = await findTemporalBinary({ env, say: () => undefined });
const newFolder = () => mkdtemp(path.join(testServers().folder, 'temporal-'));

async function namesOf(address: string): Promise<string> {
  const args = ['operator', 'search-attribute', 'list', '--output', 'json', '--address', address];
  return (await runCommand(binary, args, { env, timeoutMs: 10_000 })).stdout;
}

test('what runs is there again after the server was killed', async () => {
  const folder = await newFolder();
  const port = await findFreePort();
  const first = await startTemporal({ binary, env, folder, port });
  const before = await Connection.connect({ address: first.address });
  await new Client({ connection: before }).workflow.start('nobodyRunsThis', {
    workflowId: 'kept',
    taskQueue: 'nobody',
    searchAttributes: { TransferId: ['t1'] },
  });
  process.kill(first.pid, 'SIGKILL');
  await first.exited;
  await before.close();

  const second = await startTemporal({ binary, env, folder, port });
  const after = await Connection.connect({ address: second.address });
  const found = await new Client({ connection: after }).workflow.getHandle('kept').describe();
  expect(found.status.name).toBe('RUNNING');
  expect(found.searchAttributes['TransferId']).toEqual(['t1']);
  await after.close();
  await second.stop();
  expect(await second.exited).toBe('exit code 0');
});

test('a database file of an older version gets the search attributes it lacks', async () => {
  const folder = await newFolder();
  const port = await findFreePort();
  const address = `127.0.0.1:${port}`;
  const file = path.join(folder, 'temporal.db');
  const older = await startChild({
    command: binary,
    args: [
      'server',
      'start-dev',
      '--headless',
      '--ip',
      '127.0.0.1',
      '--port',
      String(port),
      '--db-filename',
      file,
    ],
    env,
    output: { file: path.join(folder, 'older.log') },
  });
  await expect.poll(() => namesOf(address), { timeout: 20_000 }).toContain('WorkflowId');
  expect(await namesOf(address)).not.toContain('TransferId');
  await older.stop('SIGTERM', 10_000);

  const server = await startTemporal({ binary, env, folder, port });
  const names = await namesOf(server.address);
  for (const name of Object.keys(searchAttributes)) expect(names).toContain(`"${name}"`);
  await server.stop();
});

test('does not take another server on its port for its own', async () => {
  const folder = await newFolder();
  const port = Number(testServers().temporalAddress.split(':')[1]);
  await expect(startTemporal({ binary, env, folder, port })).rejects.toThrow(`Port ${port}`);
});

test('says why it does not start', async () => {
  const folder = path.join(await newFolder(), 'missing');
  await mkdir(path.join(folder, 'temporal.db'), { recursive: true });
  await expect(startTemporal({ binary, env, folder })).rejects.toThrow(
    /The Temporal server did not start \(exit code 1\)/,
  );
});
