import pg from 'pg';
import { startPostgres } from '../../bin/embedded-postgres.ts';
import { connectionBlock } from '../../bin/demo-setup.ts';
import type { ApiClient } from '../../bin/demo-api.ts';
import type { Login } from '../../bin/demo-vendor.ts';
import { mapLimit } from '../../lib/map-limit.ts';
import { counting } from './stand.ts';
import { countSessions, countStatements, forgetStatements, own } from './figures.ts';

/** A vendor's database, and the customers' with a schema for each, on one server. */
export interface SmallEnds {
  readonly destinationIds: readonly string[];
  /** Gives so many rows of each customer a new value and the time of now. */
  change(rows: number): Promise<void>;
  /** Customers whose table equals the source. */
  countEqual(): Promise<number>;
  forget(): Promise<void>;
  /** Since `forget`: logins and statements at each end. */
  count(): Promise<Readonly<Record<string, number>>>;
}

export interface SmallEndsOptions {
  readonly dataDir: string;
  readonly customers: number;
  readonly say: (line: string) => void;
}

const password = 'simulation';
const rowsEach = 100;
const atOnce = 8;

/** One row an hour, so that the lookback of a later transfer finds the newest one and no more. */
const makeRows = /*sql*/ `
  insert into orders
  select 'tenant-' || customer, customer * 1000 + n, 'note ' || n,
         now() - interval '1 day' - n * interval '1 hour'
  from generate_series(1, $1::int) as customer, generate_series(1, ${rowsEach}) as n`;

export async function createSmallEnds(
  api: ApiClient,
  options: SmallEndsOptions,
  stack: AsyncDisposableStack,
): Promise<SmallEnds> {
  const { customers } = options;
  const { vendor, landed, login } = await startEnds(options, stack);
  const numbers = Array.from({ length: customers }, (_, n) => n + 1);
  await publish(api, login('vendor'));
  const destinationIds = await mapLimit(numbers, atOnce, (n) =>
    addCustomer(api, n, connectionBlock(login('customers'), `customer_${n}`)),
  );
  let sessions = [0, 0];
  return {
    destinationIds,
    change: async (rows) => {
      const text = /*sql*/ `
        update orders set note = note || '+', updated_at = now() where id % 1000 between 1 and $1`;
      await vendor.query(text, [rows]);
    },
    async countEqual() {
      const wanted = await readCopies(vendor, customers);
      const found = await mapLimit(numbers, 1, async (n) => {
        const { rows } = await landed.query<{ hash: string }>(
          /*sql*/ `select md5(${textOfRows}) as hash from customer_${n}.orders`,
        );
        return rows[0]?.hash === wanted.get(`tenant-${n}`);
      });
      return found.filter(Boolean).length;
    },
    async forget() {
      await forgetStatements(vendor);
      sessions = [await countSessions(vendor), await countSessions(landed)];
    },
    async count() {
      const [source, destination] = [await countStatements(vendor), await countStatements(landed)];
      const sum = (counts: readonly { calls: number }[]) =>
        counts.reduce((total, { calls }) => total + calls, 0);
      return {
        'logins at the source': (await countSessions(vendor)) - (sessions[0] ?? 0),
        'logins at the destination': (await countSessions(landed)) - (sessions[1] ?? 0),
        'statements at the source': sum(source),
        'statements at the destination': sum(destination),
      };
    },
  };
}

async function startEnds(
  { dataDir, customers, say }: SmallEndsOptions,
  stack: AsyncDisposableStack,
) {
  const server = await startPostgres({
    dataDir,
    superuserPassword: password,
    settings: counting,
    say,
  });
  stack.defer(() => server.stop());
  const { host, port, user } = server;
  const open = async (database: string) => {
    const client = new pg.Client({ host, port, user, password, database });
    await client.connect();
    stack.defer(() => client.end());
    return client;
  };
  const admin = await open('postgres');
  const names = ['vendor', 'customers'] as const;
  for (const name of names) await admin.query(/*sql*/ `create database ${name}`);
  const [vendor, landed] = [await open('vendor'), await open('customers')];
  for (const client of [vendor, landed]) {
    await client.query(/*sql*/ `create extension pg_stat_statements`);
  }
  await vendor.query(/*sql*/ `
    create table orders (
      tenant text not null, id bigint primary key, note text, updated_at timestamptz not null)`);
  await vendor.query(/*sql*/ `create index on orders (tenant, updated_at, id)`);
  await vendor.query(makeRows, [customers]);
  await vendor.query(/*sql*/ `analyze orders`);
  const login = (database: string) => ({ host, port, user, password, database });
  return { vendor, landed, login };
}

async function publish(api: ApiClient, login: Login): Promise<void> {
  const source = {
    name: 'vendor',
    vendor: 'postgres',
    postgres: connectionBlock(login, 'public'),
  };
  await api.call({ method: 'POST', path: '/sources', body: { source }, part: 'source' });
  await api.call({ method: 'POST', path: '/models', body: { model }, part: 'model' });
}

const textOfRows = /*sql*/ `
  string_agg(concat_ws('|', id, note, extract(epoch from updated_at)), ',' order by id)`;

async function readCopies(vendor: pg.Client, customers: number): Promise<Map<string, string>> {
  const { rows } = await vendor.query<{ tenant: string; hash: string }>(
    /*sql*/ `select tenant, md5(${textOfRows}) as hash ${own} from orders group by tenant limit $1`,
    [customers],
  );
  return new Map(rows.map(({ tenant, hash }) => [tenant, hash]));
}

const column = (name: string, data_type: string, role: object = {}) => ({
  name_in_source: name,
  name_in_destination: name,
  data_type,
  ...role,
});

const model = {
  model_name: 'orders',
  source_table: 'public.orders',
  organization_column: 'tenant',
  columns: [
    column('id', 'bigint', { is_primary_key: true }),
    column('note', 'string'),
    column('updated_at', 'timestamp', { is_last_modified: true }),
  ],
};

async function addCustomer(api: ApiClient, n: number, postgres: object): Promise<string> {
  const recipient = { name: `customer ${n}`, id_in_provider_system: `tenant-${n}` };
  const { id } = await api.call<{ id: string }>({
    method: 'POST',
    path: '/recipients',
    body: { recipient },
    part: 'recipient',
  });
  const destination = { name: `customer ${n}`, vendor: 'postgres', recipient_id: id, postgres };
  const added = await api.call<{ id: string }>({
    method: 'POST',
    path: '/destinations',
    body: { destination },
    part: 'destination',
  });
  return added.id;
}
