import { randomUUID } from 'node:crypto';
import { memory } from '../connectors/memory.ts';
import {
  createMemoryStore,
  memoryColumn,
  type MemoryStore,
  type Row,
} from '../connectors/memory/store.ts';
import { ModelDefinition, sharedTableOf } from '../domain/model.ts';
import type { Route } from './drive-transfer.ts';
import { Faults, type Fault } from './faulty.ts';

export const tenant = 'acme';

const table = sharedTableOf(
  ModelDefinition.parse({
    model_name: 'orders',
    source_table: 'shop.order_rows',
    organization_column: 'tenant',
    columns: [
      {
        name_in_source: 'id',
        name_in_destination: 'id',
        data_type: 'bigint',
        is_primary_key: true,
      },
      {
        name_in_source: 'changed',
        name_in_destination: 'changed',
        data_type: 'timestamp',
        is_last_modified: true,
      },
      { name_in_source: 'note', name_in_destination: 'note', data_type: 'string' },
    ],
  }),
);

/** A vendor and a customer in memory, with one model between them. */
export interface MemoryWorld {
  readonly vendor: MemoryStore;
  readonly customer: MemoryStore;
  /** The way from one to the other, with these faults on it. */
  route(faults?: readonly Fault[]): { readonly route: Route; readonly faults: Faults };
  /** Puts a row of the tenant with the vendor, stamped now. */
  write(id: number, note: string): void;
  remove(id: number): void;
  /** The tenant's rows, each `id changed note`. */
  sourceRows(): string[];
  /** What has landed, in the same form; undefined where no table shows. */
  landedRows(): string[] | undefined;
}

export const sourceTable = 'shop.order_rows';

export function createMemoryWorld(): MemoryWorld {
  const [vendorName, customerName, modelId] = [randomUUID(), randomUUID(), randomUUID()];
  const vendor = createMemoryStore(vendorName);
  const customer = createMemoryStore(customerName);
  const columns = [
    memoryColumn('tenant', 'string'),
    memoryColumn('id', 'bigint'),
    memoryColumn('changed', 'timestamp'),
    memoryColumn('note', 'string'),
  ];
  vendor.createTable(sourceTable, { columns, key: ['tenant', 'id'] });
  return {
    vendor,
    customer,
    route(planned = []) {
      const faults = new Faults(planned);
      const connector = faults.wrap(memory);
      const route: Route = {
        source: connector,
        sourceSettings: { store: vendorName },
        destination: connector,
        destinationSettings: { store: customerName },
        reach: { socket: () => Promise.reject(new Error('no sockets here')) },
        table,
        tenantId: tenant,
        modelId,
        batchRowsMax: 2,
        batchesPerSlice: 2,
      };
      return { route, faults };
    },
    write(id, note) {
      const transaction = vendor.begin();
      transaction.upsert(sourceTable, sourceRow(id, transaction.begunAt, note));
      transaction.commit();
    },
    remove(id) {
      const transaction = vendor.begin();
      transaction.delete(sourceTable, sourceRow(id, transaction.begunAt, ''));
      transaction.commit();
    },
    sourceRows: () => textsOf(vendor.rows(sourceTable).filter((row) => row['tenant'] === tenant)),
    landedRows() {
      const landed = customer.snapshot().tables.get(table.destinationTable);
      return landed && textsOf(landed.rows);
    },
  };
}

export function sourceRow(id: number, changed: string, note: string): Row {
  return { tenant, id: String(id), changed, note };
}

function textsOf(rows: readonly Row[]): string[] {
  return rows.map(({ id, changed, note }) => `${id} ${changed} ${note}`).toSorted();
}
