import type { ApiClient } from '../bin/demo-api.ts';
import type { Cast } from '../bin/demo-servers.ts';
import { connectionBlock } from '../bin/demo-setup.ts';
import type { Bench } from './first-load.ts';
import { columns, sourceTable, tenantId } from './source-rows.ts';

/** Source, model and recipient through the API. @returns what adds one destination more */
export async function publish(api: ApiClient, cast: Cast): Promise<Bench['addDestination']> {
  const source = {
    name: 'bench',
    vendor: 'postgres',
    postgres: connectionBlock(cast.vendor, 'public'),
  };
  await api.call({ method: 'POST', path: '/sources', body: { source }, part: 'source' });
  const model = {
    model_name: 'orders',
    source_table: sourceTable,
    organization_column: 'tenant',
    columns: columns.map(({ name, declared }) => ({
      name_in_source: name,
      name_in_destination: name,
      data_type: declared,
      is_primary_key: name === 'id',
      is_last_modified: name === 'updated_at',
    })),
  };
  await api.call({ method: 'POST', path: '/models', body: { model }, part: 'model' });
  const recipient = { name: 'bench', id_in_provider_system: tenantId };
  const { id } = await api.call<{ id: string }>({
    method: 'POST',
    path: '/recipients',
    body: { recipient },
    part: 'recipient',
  });
  return async (schema) => {
    const destination = {
      name: schema,
      vendor: 'postgres',
      recipient_id: id,
      postgres: connectionBlock(cast.customers, schema),
    };
    const body = { destination };
    const added = await api.call<{ id: string }>({
      method: 'POST',
      path: '/destinations',
      body,
      part: 'destination',
    });
    return added.id;
  };
}
