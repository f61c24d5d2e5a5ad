import { Client, Connection } from '@temporalio/client';
import type { TaskQueues } from '../../domain/temporal-names.ts';
import { takeNamespace, testServers } from './servers.ts';

/** A corner of the shared Temporal server in which a test file meets no other. */
export interface TestTemporal extends AsyncDisposable {
  readonly address: string;
  /** Its own, with our search attributes: workflow ids and schedules need not be unique across files. */
  readonly namespace: string;
  readonly taskQueues: TaskQueues;
  readonly connection: Connection;
  readonly client: Client;
}

/** Takes a namespace and connects to it. Dispose of it with `await using`, or in `afterAll`. */
export async function createTestTemporal(): Promise<TestTemporal> {
  const { temporalAddress: address } = testServers();
  const namespace = await takeNamespace();
  const connection = await Connection.connect({ address });
  return {
    address,
    namespace,
    taskQueues: { control: 'control', data: 'data' },
    connection,
    client: new Client({ connection, namespace }),
    [Symbol.asyncDispose]: () => connection.close(),
  };
}
