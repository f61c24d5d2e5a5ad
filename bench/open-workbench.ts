import type pg from 'pg';
import { createApiClient } from '../bin/demo-api.ts';
import type { Cast } from '../bin/demo-servers.ts';
import { connect, type Login } from '../bin/demo-vendor.ts';
import { connectTemporal } from '../bin/temporal-port.ts';
import { must } from '../lib/must.ts';
import { runTransfer } from './measure.ts';
import { findNativePipe } from './native-copy.ts';
import type { BenchOptions } from './options.ts';
import { findServerPid } from './process-cost.ts';
import { publish } from './publish.ts';
import { measureRowBytes, ordersFew } from './source-rows.ts';
import { typesTable, type Workbench } from './workbench.ts';

export interface WorkbenchOptions extends Pick<BenchOptions, 'rows' | 'rounds'> {
  readonly cast: Cast;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Over servers that run and a source that is filled. What is opened closes with the stack. */
export async function openWorkbench(
  { cast, ...options }: WorkbenchOptions,
  stack: AsyncDisposableStack,
): Promise<Workbench> {
  const open = async (login: Login) => {
    const client = await connect(login);
    // A server that is stopped ends its sessions: a query under way fails, and an idle one lost nothing.
    client.on('error', () => undefined);
    return stack.adopt(client, closeQuietly);
  };
  const sourceClient = await open(cast.vendor);
  const destinationClient = await open(cast.customers);
  const temporal = connectTemporal({ address: cast.system.temporalAddress, namespace: 'default' });
  stack.defer(() => temporal.connection.close());
  const servers = [await findServerPid(sourceClient), await findServerPid(destinationClient)];
  const api = createApiClient(cast.system);
  const bench: Workbench = {
    ...options,
    api,
    temporal,
    temporalAddress: cast.system.temporalAddress,
    source: cast.vendor,
    destination: cast.customers,
    sourceClient,
    destinationClient,
    rowBytes: await measureRowBytes(sourceClient),
    pipe: await findNativePipe(),
    addDestination: await publish(api, cast),
    workerPid: () => must(cast.system.pids().worker, 'a worker'),
    waybillPids: () => Object.values(cast.system.pids()),
    databasePids: servers.filter((pid) => pid !== undefined),
  };
  await createTypesTable(bench);
  return bench;
}

/** A small transfer tells the types, and has every part of Waybill run once before anything is timed. */
async function createTypesTable(bench: Workbench): Promise<void> {
  const destinationId = await bench.addDestination('warm_up');
  await runTransfer(bench, { destinationId, models: [ordersFew] });
  await bench.destinationClient.query(
    /*sql*/ `create table ${typesTable} (like warm_up.orders_few)`,
  );
  await bench.destinationClient.query(/*sql*/ `drop schema warm_up cascade`);
}

/** Where the run was stopped its server is gone already, and there is nothing left to close. */
async function closeQuietly(client: pg.Client): Promise<void> {
  await client.end().catch(() => undefined);
}
