import { Client, Connection } from '@temporalio/client';
import { mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import { findTemporalBinary } from '../../bin/temporal-binary.ts';
import { startTemporal } from '../../bin/temporal-server.ts';
import { testServers } from '../harness/servers.ts';
import type { WorldOptions } from './world.ts';

/** A server of one test file, which suggests to continue as new after a few events instead of thousands. */
export async function startRenewingServer(): Promise<WorldOptions & AsyncDisposable> {
  const env = process.env;
  const binary = await findTemporalBinary({ env, say: () => undefined });
  const folder = await mkdtemp(path.join(testServers().folder, 'temporal-'));
  const dynamicConfig = { 'limit.historyCount.suggestContinueAsNew': 30 };
  const server = await startTemporal({ binary, env, folder, inMemory: true, dynamicConfig });
  const { address } = server;
  const connection = await Connection.connect({ address });
  return {
    address,
    namespace: 'default',
    client: new Client({ connection }),
    async [Symbol.asyncDispose]() {
      await connection.close();
      await server.stop();
    },
  };
}

/** The ids of all runs that a workflow id has had. */
export async function listRuns(client: Client, workflowId: string): Promise<string[]> {
  const runs: string[] = [];
  const query = `WorkflowId = '${workflowId}'`;
  for await (const { runId } of client.workflow.list({ query })) runs.push(runId);
  return runs;
}
