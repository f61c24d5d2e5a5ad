import type { ApiClient } from './demo-api.ts';
import type { Region } from './demo-regions.ts';
import type { Login } from './demo-vendor.ts';

/** One customer of the vendor, and where that customer's rows go. */
export interface Customer {
  readonly region: Region;
  readonly login: Login;
  readonly destinationId: string;
}

/** Table and schema at the destinations. */
export const landedSchema = 'flight_data';
export const landedTable = `${landedSchema}.flights`;

/** Columns of the model by their names at the source, in the order in which they land. */
export const sharedColumns = [
  { name: 'id', type: 'bigint', description: 'Number of the flight' },
  { name: 'departed_at', type: 'timestamp', description: 'Planned departure' },
  { name: 'delay', type: 'integer', description: 'Minutes late at arrival' },
  { name: 'distance', type: 'integer', description: 'Miles' },
  { name: 'origin', type: 'string', description: 'Airport of departure' },
  { name: 'target', type: 'string', description: 'Airport of arrival' },
  { name: 'updated_at', type: 'timestamp', description: 'Last change' },
] as const;

export const gateColumn = {
  name: 'gate',
  type: 'string',
  description: 'Gate of departure',
} as const;

type SharedColumn = { readonly name: string; readonly type: string; readonly description: string };

/** The columns as a model file has them. */
export function modelColumns(columns: readonly SharedColumn[]): object[] {
  return columns.map(({ name, type, description }) => ({
    name_in_source: name,
    name_in_destination: name,
    data_type: type,
    description,
    ...(name === 'id' ? { is_primary_key: true } : {}),
    ...(name === 'updated_at' ? { is_last_modified: true } : {}),
  }));
}

/** Registers the vendor's database. @returns whether Waybill could log in and read */
export async function addSource(api: ApiClient, login: Login): Promise<string> {
  const source = {
    name: 'Flight database',
    vendor: 'postgres',
    postgres: connectionBlock(login, 'public'),
  };
  const { id } = await api.call<{ id: string }>({
    method: 'POST',
    path: '/sources',
    body: { source },
    part: 'source',
  });
  return id;
}

/** @returns the model's id */
export async function publishModel(api: ApiClient): Promise<string> {
  const model = {
    model_name: 'flights',
    description: 'One row per flight',
    source_name: 'Flight database',
    source_table: 'public.flights',
    organization_column: 'region',
    columns: modelColumns(sharedColumns),
  };
  const { id } = await api.call<{ id: string }>({
    method: 'POST',
    path: '/models',
    body: { model },
    part: 'model',
  });
  return id;
}

/** Publishes one column more, in a new revision of the model. */
export async function publishGate(api: ApiClient, modelId: string): Promise<void> {
  const model = { columns: modelColumns([...sharedColumns, gateColumn]) };
  await api.call({ method: 'PATCH', path: `/models/${modelId}`, body: { model }, part: 'model' });
}

/** Adds the recipient and its destination, after a test of the destination's connection. */
export async function addCustomer(api: ApiClient, region: Region, login: Login): Promise<Customer> {
  const recipient = { name: `Airline ${region}`, id_in_provider_system: region };
  const { id: recipientId } = await api.call<{ id: string }>({
    method: 'POST',
    path: '/recipients',
    body: { recipient },
    part: 'recipient',
  });
  const destination = {
    name: `Database of ${recipient.name}`,
    vendor: 'postgres',
    recipient_id: recipientId,
    postgres: connectionBlock(login, landedSchema),
  };
  const { id } = await api.call<{ id: string }>({
    method: 'POST',
    path: '/destinations',
    body: { destination },
    part: 'destination',
  });
  return { region, login, destinationId: id };
}

/** What the connection test of a saved source or destination says, `success` or `error`. */
export function testConnection(
  api: ApiClient,
  kind: 'sources' | 'destinations',
  id: string,
): Promise<string> {
  return api.call<string>({
    method: 'POST',
    path: `/${kind}/${id}/test-connection`,
    body: {},
    part: 'status',
  });
}

/** The servers of the demo listen on this machine only and speak no TLS. */
export function connectionBlock(login: Login, schema: string): object {
  return {
    host: login.host,
    port: login.port,
    database: login.database,
    schema,
    disable_ssl: true,
    auth_method: 'password_auth',
    password_auth: { username: login.user, password: login.password },
  };
}
