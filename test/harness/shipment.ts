import { memory } from '../../connectors/memory.ts';
import type { ConnectorRegistry } from '../../connectors/connector.ts';
import type { MemoryStore, Row } from '../../connectors/memory/store.ts';
import { createMemoryStore, memoryColumn } from '../../connectors/memory/store.ts';
import { insertDestination } from '../../db/destinations.ts';
import { insertModel } from '../../db/models.ts';
import { insertSource } from '../../db/sources.ts';
import { ModelDefinition } from '../../domain/model.ts';
import type { Fault } from '../faulty.ts';
import { Faults } from '../faulty.ts';
import type { Metadata } from './metadata.ts';
import { makeRecipient, testAudit, testSealer, unique } from './metadata.ts';

/** A vendor and a customer in memory, with one model between them that our database knows. */
export interface Shipment {
  readonly metadata: Metadata;
  readonly vendor: MemoryStore;
  readonly customer: MemoryStore;
  /** Where the rows land. */
  readonly tableName: string;
  readonly destinationId: string;
  readonly modelId: string;
  /** Puts a row of the tenant with the vendor, stamped now where nothing else is said. */
  write(id: number, note: string, changed?: string | null): void;
  /** The tenant's rows as they ought to arrive, by id. */
  rowsAtSource(): Row[];
  /** What has landed; undefined where no table shows. */
  rowsAtDestination(): Row[] | undefined;
}

const table = 'shop.orders';
const columns = [
  { name: 'id', type: 'bigint', is_primary_key: true },
  { name: 'changed', type: 'timestamp', is_last_modified: true },
  { name: 'note', type: 'string' },
] as const;

export async function createShipment(
  metadata: Metadata,
  wishes: Partial<ModelDefinition> = {},
): Promise<Shipment> {
  const [vendorName, customerName, tenant] = [
    unique('vendor'),
    unique('customer'),
    unique('tenant'),
  ];
  const vendor = createMemoryStore(vendorName);
  const customer = createMemoryStore(customerName);
  const sourceColumns = columns.map(({ name, type }) => memoryColumn(name, type));
  vendor.createTable(table, {
    columns: [memoryColumn('tenant', 'string'), ...sourceColumns],
    key: ['tenant', 'id'],
  });
  const { model, destinationId } = await register(
    metadata,
    { vendorName, customerName, tenant },
    wishes,
  );
  const ours = (rows: readonly Row[]) =>
    rows
      .map(({ id, changed, note }) => ({ id, changed, note }) as Row)
      .toSorted((a, b) => Number(a['id']) - Number(b['id']));
  return {
    metadata,
    vendor,
    customer,
    tableName: model.name,
    destinationId,
    modelId: model.id,
    write(id, note, changed) {
      const transaction = vendor.begin();
      const at = changed === undefined ? transaction.begunAt : changed;
      const row = { tenant, id: String(id), changed: at, note };
      transaction.upsert(table, row);
      transaction.commit();
    },
    rowsAtSource: () => ours(vendor.rows(table).filter((row) => row['tenant'] === tenant)),
    rowsAtDestination() {
      const landed = customer.snapshot().tables.get(model.name);
      return landed && ours(landed.rows);
    },
  };
}

async function register(
  { db }: Metadata,
  { vendorName, customerName, tenant }: Record<'vendorName' | 'customerName' | 'tenant', string>,
  wishes: Partial<ModelDefinition>,
) {
  const environment = 'prod';
  const connectionTo = (store: string) => ({
    vendor: 'memory',
    settings: { store },
    secrets: {},
    sealer: testSealer,
  });
  const source = await insertSource(db, {
    environment,
    name: unique('source'),
    connection: connectionTo(vendorName),
    audit: testAudit,
  });
  const definition = ModelDefinition.parse({
    model_name: unique('orders'),
    source_id: source.id,
    source_table: table,
    organization_column: 'tenant',
    columns: columns.map(({ name, type, ...roles }) => ({
      name_in_source: name,
      name_in_destination: name,
      data_type: type,
      ...roles,
    })),
    ...wishes,
  });
  const { model } = await insertModel(db, { environment, definition, audit: testAudit });
  const recipient = await makeRecipient(db, { idInProviderSystem: tenant });
  const destination = await insertDestination(db, {
    environment,
    recipientId: recipient.id,
    name: unique('destination'),
    place: unique('place'),
    enabledModels: [model.name],
    connection: connectionTo(customerName),
    audit: testAudit,
  });
  return { model, destinationId: destination.id };
}

/** The memory connector alone, with faults. */
export function faultyMemory(planned: readonly Fault[]): {
  readonly connectors: ConnectorRegistry;
  readonly faults: Faults;
} {
  const faults = new Faults(planned);
  return { connectors: new Map([['memory', faults.wrap(memory)]]), faults };
}
