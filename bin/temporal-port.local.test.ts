import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WorkflowPort } from '../domain/ports.ts';
import { startTcpProxy, type TcpProxy } from '../test/harness/tcp-proxy.ts';
import { createTestTemporal, type TestTemporal } from '../test/harness/temporal.ts';
import { connectTemporal, createWorkflowPort } from './temporal-port.ts';

let temporal: TestTemporal;
let proxy: TcpProxy;
let port: WorkflowPort;

beforeAll(async () => {
  temporal = await createTestTemporal();
  const [host = '', number = ''] = temporal.address.split(':');
  proxy = await startTcpProxy({ host, port: Number(number) });
  const address = `${proxy.host}:${proxy.port}`;
  const client = connectTemporal({ address, namespace: temporal.namespace });
  port = createWorkflowPort(client, temporal.taskQueues);
});

afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await temporal[Symbol.asyncDispose]();
});

const away = { kind: 'unavailable', message: 'Temporal does not answer.' };
const probe = { probeId: 'p', environment: 'prod', kind: 'source' } as const;

test('a Temporal that takes calls and says nothing is away, and back when it speaks', async () => {
  await port.ping();
  proxy.set({ stalled: true });
  const calls = [
    port.ring('d', 't'),
    port.cancelTransfer('t'),
    port.pauseTransfer('t'),
    port.runProbe(probe),
    port.describeTransfer('t'),
  ];
  const ends = await Promise.allSettled(calls);
  expect(ends).toMatchObject(calls.map(() => ({ status: 'rejected', reason: away })));
  proxy.set({});
  await expect(port.describeTransfer('t')).resolves.toBe('not_found');
}, 20_000);
