// Promise 6: a transfer survives everything but its operator. Any server can be killed and started again,
// alone or all at once, and the transfer under way finishes without anyone's help.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { submit, waitFor, waitForEnd } from '../harness/transfers.ts';
import type { Customer } from '../harness/vendor.ts';
import {
  connectionBlock,
  createOrders,
  fill,
  publish,
  rowsAtCustomer,
  rowsAtSource,
} from '../harness/vendor.ts';
import {
  databaseOf,
  inSession,
  startOwnServers,
  type Killable,
  type OwnServers,
} from './6-own-servers.ts';

const rows = 4000;
const batchRows = 100;
const sourceName = 'source';

let servers: OwnServers;

beforeAll(async () => {
  servers = await startOwnServers({ WAYBILL_BATCH_ROWS: String(batchRows) });
  const { system, source } = servers;
  await inSession(source, async (sql) => {
    await createOrders(sql, 'orders');
    // A row takes some milliseconds to read, so that there is time to hit the middle.
    await sql.query(
      /*sql*/ `create view slow as select * from orders where pg_sleep(0.002) is not null`,
    );
  });
  const postgres = connectionBlock(databaseOf(source), 'public');
  await system.api('POST', '/sources', {
    source: { name: sourceName, vendor: 'postgres', postgres },
  });
});

afterAll(() => servers[Symbol.asyncDispose]());

/** A customer whose first load takes some ten seconds. */
async function createSlowLoad(tenant: string, from: number) {
  const { system, source, destination: server } = servers;
  await inSession(source, (sql) => fill(sql, tenant, { rows, from }));
  await publish(system, { sourceName, modelName: tenant, table: 'slow' });
  const { recipient } = await system.api<{ recipient: { id: string } }>('POST', '/recipients', {
    recipient: { name: tenant, id_in_provider_system: tenant },
  });
  const { destination } = await system.api<{ destination: { id: string } }>(
    'POST',
    '/destinations',
    {
      destination: {
        name: tenant,
        vendor: 'postgres',
        recipient_id: recipient.id,
        postgres: connectionBlock(databaseOf(server), tenant),
        enabled_models: [tenant],
      },
    },
  );
  return { tenant, destinationId: destination.id, table: `${tenant}.${tenant}` };
}

async function expectEqual({ tenant, table }: Pick<Customer, 'tenant' | 'table'>): Promise<void> {
  const { source, destination } = servers;
  const expected = await inSession(source, (sql) => rowsAtSource({ sql }, tenant));
  const landed = await inSession(destination, (sql) =>
    rowsAtCustomer({ sql, table } as Customer, table),
  );
  expect(landed).toEqual(expected);
}

/** Waits until more has been committed than there was at the last time. */
async function moreOf(id: string, before: number): Promise<number> {
  const until = (now: { rows_transferred: number }) => now.rows_transferred > before;
  return (await waitFor(servers.system, id, { until, ms: 120_000 })).rows_transferred;
}

async function restart(part: Killable): Promise<void> {
  await part.kill();
  await part.start();
}

test(
  'the source, the destination, our database and Temporal are killed in turn, each in the middle of a load',
  { timeout: 240_000 },
  async () => {
    const { system, parts } = servers;
    const customer = await createSlowLoad('in_turn', 1);
    const id = await submit(system, customer.destinationId);
    let landed = await moreOf(id, 0);
    for (const name of ['source', 'destination', 'database', 'temporal', 'api'] as const) {
      await restart(parts[name]);
      landed = await moreOf(id, landed);
    }
    const ended = await waitForEnd(system, id, 120_000);
    expect(ended).toMatchObject({ status: 'SUCCESS', rows_transferred: rows });
    await expectEqual(customer);
  },
);

test(
  'everything is killed at once, as by a power cut, and started again',
  { timeout: 240_000 },
  async () => {
    const { system, parts } = servers;
    const customer = await createSlowLoad('all_at_once', 1_000_000);
    const id = await submit(system, customer.destinationId);
    await moreOf(id, 0);
    const all = Object.values(parts);
    await Promise.all(all.map((part) => part.kill()));
    const { worker, api, ...rest } = parts;
    await Promise.all(Object.values(rest).map((part) => part.start()));
    await Promise.all([worker.start(), api.start()]);
    const ended = await waitForEnd(system, id, 120_000);
    expect(ended).toMatchObject({ status: 'SUCCESS', rows_transferred: rows });
    await expectEqual(customer);
  },
);
