import { randomUUID } from 'node:crypto';
import { describeConnectorContract } from '../test/connector-contract.ts';
import type { ConnectorUnderTest } from '../test/contract/rig.ts';
import { memory } from './memory.ts';
import { createMemoryStore, memoryColumn } from './memory/store.ts';

describeConnectorContract('the memory connector', async (): Promise<ConnectorUnderTest> => {
  const [sourceName, destinationName] = [randomUUID(), randomUUID()];
  const source = createMemoryStore(sourceName, 'secret');
  const destination = createMemoryStore(destinationName, 'secret');
  const endOf = (store: string) => ({
    settings: { store, password: 'secret' },
    refused: { store, password: 'guess' },
    unreachable: { store: 'nowhere' },
  });
  return {
    declaration: memory,
    reach: { socket: () => Promise.reject(new Error('no sockets here')) },
    sourceSchema: 'shop',
    source: endOf(sourceName),
    destination: endOf(destinationName),
    seed: async ({ relation, columns, rows }) => {
      const name = [relation.schema, relation.table].filter(Boolean).join('.');
      const table = {
        columns: columns.map((column) => memoryColumn(column.name, column.type)),
        key: [],
      };
      source.transact((draft) =>
        draft.tables.set(name, { ...table, comment: undefined, rows: [...rows] }),
      );
    },
    readBack: async (table) => {
      const found = destination.snapshot().tables.get(table);
      return found?.rows.map((row) =>
        Object.fromEntries(found.columns.map(({ name }) => [name, row[name] ?? null])),
      );
    },
    [Symbol.asyncDispose]: async () => {},
  };
});
