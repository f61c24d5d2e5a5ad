import { startTransfer, type ApiClient } from '../../bin/demo-api.ts';
import { mapLimit } from '../../lib/map-limit.ts';
import { askWorld } from './world-verbs.ts';
import type { SimulationOptions } from './options.ts';
import type { Stand } from './stand.ts';

export interface Place {
  readonly tenant: string;
  readonly destinationId: string;
}

/** A vendor, its models, and so many customers. */
export interface Scene {
  readonly modelIds: readonly string[];
  readonly small: readonly Place[];
  readonly large: Place;
  /** New versions of every small customer's rows, at a later time. */
  change(note: string): Promise<void>;
  submit(place: Place): Promise<string>;
  /** Destinations whose every table equals the source. */
  countEqual(places: readonly Place[]): Promise<number>;
}

const atOnce = 8;

export async function createScene(
  stand: Stand,
  port: number,
  options: SimulationOptions,
): Promise<Scene> {
  const { api } = stand;
  const names = Array.from({ length: options.models }, (_, n) => `model_${n + 1}`);
  await askWorld(port, { verb: 'tables', tables: names.map((name) => `shop.${name}`) });
  // What is measured is how fast it goes, not the caps.
  const settings = { max_concurrent_transfers: 10_000, automatic_transfers: false };
  await api.call({ method: 'PATCH', path: '/settings', body: { settings }, part: 'settings' });
  const source = { name: 'vendor', vendor: 'memory', memory: { port, store: 'vendor' } };
  await api.call({ method: 'POST', path: '/sources', body: { source }, part: 'source' });
  const modelIds: string[] = [];
  for (const name of names) modelIds.push(await addModel(api, name));
  const tenants = Array.from({ length: options.destinations }, (_, n) => `tenant-${n + 1}`);
  const small = await mapLimit(tenants, atOnce, (tenant) => addCustomer(api, { tenant, port }));
  // As many slots as it can take.
  const many = { max_concurrent_queries_per_transfer: options.models };
  const large = await addCustomer(api, { tenant: 'backfill', port, more: many });
  const fill = (place: Place, rows: number, note: string) =>
    askWorld(port, { verb: 'write', tenant: place.tenant, rows, note });
  await fill(large, options.backfillRows, 'first');
  return {
    modelIds,
    small,
    large,
    async change(note) {
      await askWorld(port, { verb: 'advance', seconds: 60 });
      await mapLimit(small, atOnce, (place) => fill(place, options.rows, note));
    },
    submit: ({ destinationId }) => startTransfer(api, destinationId),
    async countEqual(places) {
      const equal = await mapLimit(places, atOnce, ({ tenant }) =>
        askWorld<number>(port, { verb: 'compare', tenant, store: tenant }),
      );
      return equal.filter((tables) => tables === names.length).length;
    },
  };
}

async function addModel(api: ApiClient, name: string): Promise<string> {
  const column = (own: string, data_type: string, role: object = {}) => ({
    name_in_source: own,
    name_in_destination: own,
    data_type,
    ...role,
  });
  const model = {
    model_name: name,
    source_table: `shop.${name}`,
    organization_column: 'tenant',
    columns: [
      column('id', 'bigint', { is_primary_key: true }),
      column('changed', 'timestamp', { is_last_modified: true }),
      column('note', 'string'),
    ],
  };
  const added = await api.call<{ id: string }>({
    method: 'POST',
    path: '/models',
    body: { model },
    part: 'model',
  });
  return added.id;
}

interface Customer {
  readonly tenant: string;
  readonly port: number;
  readonly more?: object;
}

async function addCustomer(api: ApiClient, { tenant, port, more }: Customer): Promise<Place> {
  const recipient = { name: tenant, id_in_provider_system: tenant };
  const { id } = await api.call<{ id: string }>({
    method: 'POST',
    path: '/recipients',
    body: { recipient },
    part: 'recipient',
  });
  const destination = {
    name: tenant,
    vendor: 'memory',
    recipient_id: id,
    memory: { port, store: tenant },
    ...more,
  };
  const added = await api.call<{ id: string }>({
    method: 'POST',
    path: '/destinations',
    body: { destination },
    part: 'destination',
  });
  return { tenant, destinationId: added.id };
}
