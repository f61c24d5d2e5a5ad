import { laterColumns, createTable, insertRows, modelColumns, tableShapes } from './shapes.ts';
import type { Account } from './account.ts';
import { auditStatements } from './audit-trail.ts';
import { urlOf, type Installation } from './installation.ts';
import { tenants, type Shape, type Tenant } from './plan.ts';
import { runStatements } from './run-statements.ts';

// What is shipped: two tables of a vendor, each tenant's rows into a database of its own.

export interface Shipments {
  readonly vendorUrl: string;
  readonly recipients: readonly Recipient[];
  /** How many of the later columns each model has by now. */
  readonly columnsAdded: Record<Shape, number>;
}

export interface Recipient {
  readonly tenant: Tenant;
  readonly destinationId: string;
  /** Of its database, as superuser. */
  readonly url: string;
}

export const landedSchema = 'landed';
const login = { reader: 'vendor_reader', password: 'reads' };
const vendorDatabase = 'vendor';

/** Tables and models, a recipient and a destination for each tenant. Nothing has been transferred yet. */
export async function setUpShipments(
  installation: Installation,
  account: Account,
  rows: Readonly<Record<Shape, number>>,
): Promise<Shipments> {
  const { vendor, customers } = installation;
  const vendorUrl = urlOf(vendor, vendorDatabase);
  await createVendor(installation, rows);
  await account.call({
    method: 'POST',
    path: '/sources',
    body: {
      source: {
        name: 'vendor',
        vendor: 'postgres',
        postgres: block(installation.toVendor.port, {
          database: vendorDatabase,
          schema: 'public',
          username: login.reader,
          password: login.password,
        }),
      },
    },
  });
  for (const shape of tableShapes) {
    const model = {
      model_name: shape.table,
      source_name: 'vendor',
      source_table: `public.${shape.table}`,
      organization_column: 'tenant',
      columns: modelColumns(shape, 0),
    };
    await account.call({ method: 'POST', path: '/models', body: { model } });
  }
  const recipients: Recipient[] = [];
  for (const tenant of tenants) {
    await createCustomer(installation, tenant);
    const destinationId = await createDestination(installation, account, tenant);
    recipients.push({ tenant, destinationId, url: urlOf(customers, tenant) });
  }
  return { vendorUrl, recipients, columnsAdded: { orders: 0, events: 0 } };
}

/** The reader may see every session, so that the fence covers transactions however long they stay open. */
async function createVendor(
  { vendor }: Installation,
  rows: Readonly<Record<Shape, number>>,
): Promise<void> {
  await runStatements(urlOf(vendor, 'postgres'), [
    /*sql*/ `create database ${vendorDatabase}`,
    /*sql*/ `create role ${login.reader} login password '${login.password}' in role pg_read_all_stats`,
  ]);
  const url = urlOf(vendor, vendorDatabase);
  await runStatements(url, [
    ...tableShapes.map(createTable),
    /*sql*/ `grant select on all tables in schema public to ${login.reader}`,
  ]);
  for (const [index, tenant] of tenants.entries()) {
    for (const { table } of tableShapes) {
      // Spread over a month, five rows to a stamp.
      const stamp = `now() - make_interval(secs => 2592000.0 * (1 - ((n - $2) / 5 * 5.0) / ($3 - $2 + 1)))`;
      const from = firstNumber(index);
      await runStatements(url, [insertRows(table, stamp)], [tenant, from, from + rows[table] - 1]);
    }
  }
}

/** Numbers of a tenant's rows; no two tenants have one in common. */
export function firstNumber(tenantIndex: number): number {
  return 1 + tenantIndex * 100_000_000;
}

async function createCustomer({ customers }: Installation, tenant: Tenant): Promise<void> {
  await runStatements(urlOf(customers, 'postgres'), [
    /*sql*/ `create role ${tenant} login password '${tenant}'`,
    /*sql*/ `create database ${tenant} owner ${tenant}`,
  ]);
  await runStatements(urlOf(customers, tenant), auditStatements(landedSchema));
}

async function createDestination(
  { toCustomers }: Installation,
  account: Account,
  tenant: Tenant,
): Promise<string> {
  const { recipient } = await account.call<{ recipient: { id: string } }>({
    method: 'POST',
    path: '/recipients',
    body: { recipient: { name: tenant, id_in_provider_system: tenant } },
  });
  const postgres = block(toCustomers.port, {
    database: tenant,
    schema: landedSchema,
    username: tenant,
    password: tenant,
  });
  const { destination } = await account.call<{ destination: { id: string } }>({
    method: 'POST',
    path: '/destinations',
    body: {
      destination: {
        name: tenant,
        vendor: 'postgres',
        recipient_id: recipient.id,
        postgres,
        enabled_models: tableShapes.map(({ table }) => table),
        max_concurrent_queries_per_transfer: 2,
      },
    },
  });
  return destination.id;
}

function block(
  port: number,
  place: { database: string; schema: string; username: string; password: string },
): object {
  const { database, schema, username, password } = place;
  return {
    host: '127.0.0.1',
    port,
    database,
    schema,
    auth_method: 'password_auth',
    password_auth: { username, password },
    disable_ssl: true,
    connection_timeout_in_seconds: 10,
  };
}

/** One more nullable column of a model. Transfers that were submitted before go on without it. */
export async function addColumn(
  account: Account,
  shipments: Shipments,
  table: Shape,
): Promise<string | undefined> {
  const added = shipments.columnsAdded[table] + 1;
  const name = laterColumns[added - 1];
  if (name === undefined) return undefined;
  const shape = tableShapes.find((each) => each.table === table);
  if (shape === undefined) return undefined;
  await account.call({
    method: 'PATCH',
    path: `/models/${table}?skip_model_validation=true`,
    body: { model: { columns: modelColumns(shape, added) } },
  });
  shipments.columnsAdded[table] = added;
  return name;
}
