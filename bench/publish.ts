import type { ApiClient } from '../bin/demo-api.ts';
import type { Cast } from '../bin/demo-servers.ts';
import { connectionBlock } from '../bin/demo-setup.ts';
import { shapes, tenantId, type Shape } from './source-rows.ts';
import type { Workbench } from './workbench.ts';

/**
 * Source, models and recipient through the API; nothing runs by itself, also not about midnight.
 * @returns what adds one destination more
 */
export async function publish(api: ApiClient, cast: Cast): Promise<Workbench['addDestination']> {
  const source = {
    name: 'bench',
    vendor: 'postgres',
    postgres: connectionBlock(cast.vendor, 'public'),
  };
  const settings = { automatic_transfers: false };
  await api.call({ method: 'PATCH', path: '/settings', body: { settings }, part: 'settings' });
  await api.call({ method: 'POST', path: '/sources', body: { source }, part: 'source' });
  for (const shape of shapes) {
    const body = { model: modelOf(shape) };
    await api.call({ method: 'POST', path: '/models', body, part: 'model' });
  }
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

function modelOf({ name, columns }: Shape): object {
  return {
    model_name: name,
    source_table: `public.${name}`,
    organization_column: 'tenant',
    columns: columns.map((column) => ({
      name_in_source: column.name,
      name_in_destination: column.name,
      data_type: column.declared,
      is_primary_key: column.name === 'id',
      is_last_modified: column.name === 'updated_at',
    })),
  };
}
