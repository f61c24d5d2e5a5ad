import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { TestDatabase } from './database.ts';
import { createTestDatabase } from './database.ts';
import type { TestPlace } from './postgres-ends.ts';
import type { System } from './system.ts';

// A vendor with one table of orders, a model of it, and customers whose orders are to arrive in databases
// of their own. Everything is set up over the API, as a vendor would.

export interface Vendor extends AsyncDisposable {
  readonly database: TestDatabase;
  /** A session of the vendor's, as a superuser. */
  readonly sql: pg.Client;
  readonly sourceName: string;
  readonly modelId: string;
  /** Of no other vendor: models belong to an environment. */
  readonly modelName: string;
}

export interface Customer extends AsyncDisposable {
  readonly tenant: string;
  readonly database: TestDatabase;
  /** A session of the customer's. */
  readonly sql: pg.Client;
  readonly destinationId: string;
  /** Where the vendor's orders land. */
  readonly table: string;
}

/**
 * Columns by name: the type at the source and the type of the model. `note` lands as `remark`; `body` can
 * hold JSON that no destination takes (an escaped NUL).
 */
const columns = [
  ['id', 'bigint', 'bigint'],
  ['total', 'numeric(38, 10)', 'decimal'],
  ['note', 'text', 'string'],
  ['is_paid', 'boolean', 'boolean'],
  ['due_on', 'date', 'date'],
  ['body', 'json', 'json'],
  ['changed_at', 'timestamptz', 'timestamp'],
] as const;

const landedName = (name: string) => (name === 'note' ? 'remark' : name);

/** Orders of nobody yet; `fill` makes some. */
export async function createVendor(system: System): Promise<Vendor> {
  const database = await createTestDatabase();
  const sql = await connect(database);
  await createOrders(sql, 'orders');
  const sourceName = `source ${randomUUID()}`;
  await system.api('POST', '/sources', {
    source: { name: sourceName, vendor: 'postgres', postgres: connectionBlock(database, 'public') },
  });
  const modelName = `orders_${randomUUID().slice(0, 8)}`;
  const modelId = await publish(system, { sourceName, modelName, table: 'orders' });
  return {
    database,
    sql,
    sourceName,
    modelId,
    modelName,
    async [Symbol.asyncDispose]() {
      await sql.end();
      await database.drop();
    },
  };
}

/** A table like `orders`, with the index that ordered reading needs. */
export async function createOrders(sql: pg.Client, table: string): Promise<void> {
  const list = columns.map(([name, type]) => `${name} ${type}`).join(', ');
  await sql.query(
    /*sql*/ `create table ${table} (tenant text not null, ${list}, primary key (id))`,
  );
  await sql.query(/*sql*/ `create index on ${table} (tenant, changed_at, id)`);
}

/** Publishes a model of a table that has the columns of `orders`. @returns its id */
export async function publish(
  system: System,
  publication: {
    sourceName: string;
    modelName: string;
    table: string;
    destinationTable?: string;
  },
): Promise<string> {
  const { sourceName, modelName, table, destinationTable } = publication;
  const model = {
    model_name: modelName,
    ...(destinationTable !== undefined && { destination_table_name: destinationTable }),
    source_name: sourceName,
    source_table: `public.${table}`,
    organization_column: 'tenant',
    columns: modelColumns(),
  };
  return (await system.api<{ model: { id: string } }>('POST', '/models', { model })).model.id;
}

/** The columns as a model has them. */
export function modelColumns(): object[] {
  return columns.map(([name, , type]) => ({
    name_in_source: name,
    name_in_destination: landedName(name),
    data_type: type,
    ...(name === 'id' ? { is_primary_key: true } : {}),
    ...(name === 'changed_at' ? { is_last_modified: true } : {}),
  }));
}

export interface Filling {
  readonly rows: number;
  /** Ids count on from here. */
  readonly from?: number;
  /** Their last-modified values are spread over so many days before now; ties of five rows each. */
  readonly days?: number;
  readonly table?: string;
}

/** Orders of one tenant, with odd values in every column. */
export async function fill(sql: pg.Client, tenant: string, filling: Filling): Promise<void> {
  const { rows, from = 1, days = 30, table = 'orders' } = filling;
  await sql.query(
    /*sql*/ `
    insert into ${table} (tenant, id, total, note, is_paid, due_on, body, changed_at)
    select $1, n, n * 1.0000000001,
      case n % 4 when 0 then null when 1 then '' else E'tab\\t, \\\\ and ''quote'' ' || n end,
      n % 3 = 0, date '2026-01-01' + (n % 365)::int, json_build_object('n', n, 'list', array[1, n]),
      now() - make_interval(secs => 86400.0 * $4 * (1 - (n - $2) / 5 * 5.0 / $3))
    from generate_series($2::bigint, $2::bigint + $3 - 1) as n`,
    [tenant, from, rows, days],
  );
}

export interface CustomerOptions {
  readonly vendor: Vendor;
  readonly tenant: string;
  /** Of the destination: only the vendor's orders unless told. */
  readonly destination?: object;
}

/** Adds a recipient, and a destination in a database of its own. */
export async function createCustomer(system: System, options: CustomerOptions): Promise<Customer> {
  const { vendor, tenant } = options;
  const database = await createTestDatabase();
  const { recipient } = await system.api<{ recipient: { id: string } }>('POST', '/recipients', {
    recipient: { name: `recipient ${randomUUID()}`, id_in_provider_system: tenant },
  });
  const { destination } = await system.api<{ destination: { id: string } }>(
    'POST',
    '/destinations',
    {
      destination: {
        name: `destination ${randomUUID()}`,
        vendor: 'postgres',
        recipient_id: recipient.id,
        postgres: connectionBlock(database, 'vendor_data'),
        enabled_models: [vendor.modelName],
        ...options.destination,
      },
    },
  );
  const sql = await connect(database);
  return {
    tenant,
    database,
    sql,
    destinationId: destination.id,
    table: `vendor_data.${vendor.modelName}`,
    async [Symbol.asyncDispose]() {
      await sql.end();
      await database.drop();
    },
  };
}

export async function connect(database: TestDatabase): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url, options: '-c timezone=UTC' });
  await client.connect();
  return client;
}

export function connectionBlock(database: TestPlace, schema: string): object {
  return {
    host: database.host,
    port: database.port,
    database: database.name,
    schema,
    disable_ssl: true,
    auth_method: 'password_auth',
    password_auth: { username: database.user, password: database.password },
  };
}

export type TextRow = Readonly<Record<string, string | null>>;

/** The tenant's rows as they ought to arrive, by id, every value as its server writes it. */
export function rowsAtSource(vendor: Pick<Vendor, 'sql'>, tenant: string, table = 'orders') {
  const textOf = (name: string) => (name === 'body' ? 'body::jsonb::text' : `${name}::text`);
  const list = columns.map(([name]) => `${textOf(name)} as ${landedName(name)}`).join(', ');
  return textRows(
    vendor.sql,
    /*sql*/ `select ${list} from ${table} where tenant = $1 order by ${table}.id`,
    [tenant],
  );
}

/** All rows that stand at the customer's, by id. */
export function rowsAtCustomer(customer: Pick<Customer, 'sql' | 'table'>, table = customer.table) {
  const list = columns.map(([name]) => `t.${landedName(name)}::text`).join(', ');
  return textRows(customer.sql, /*sql*/ `select ${list} from ${table} t order by t.id`, []);
}

async function textRows(sql: pg.Client, statement: string, values: unknown[]): Promise<TextRow[]> {
  return (await sql.query<Record<string, string | null>>(statement, values)).rows;
}
