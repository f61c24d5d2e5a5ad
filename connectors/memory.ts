import { z } from 'zod';
import { Failure } from '../domain/failure.ts';
import type { ConnectorDeclaration, ConnectorRoles } from './connector.ts';
import { MemoryDestination } from './memory/destination.ts';
import { MemorySource } from './memory/source.ts';
import { findMemoryStore, type MemoryStore } from './memory/store.ts';

const StoreSettings = z.object({
  store: z.string().min(1).meta({ title: 'Store', place: true }),
  password: z.string().optional().meta({ title: 'Password', secret: true }),
});

/**
 * The reference of the contract: a database in the memory of this process. It has all the semantics of a
 * real destination and none of its trouble, so this is where to learn what a connector has to do. For tests
 * only: the registry does not list it.
 */
export const memory: ConnectorDeclaration = {
  kind: 'memory',
  title: 'Memory',
  source: StoreSettings,
  destination: StoreSettings,
  load: async () => memoryRoles,
};

const memoryRoles: ConnectorRoles = {
  source: {
    // Its fence is exact and its clock the only one: a lookback could only hide a fault.
    lookbackSeconds: 0,
    open: async (settings) => new MemorySource(() => logIn(settings, 'source')),
  },
  destination: {
    open: async (settings) => new MemoryDestination(() => logIn(settings, 'destination')),
  },
};

function logIn(settings: unknown, side: 'source' | 'destination'): MemoryStore {
  const { store: name, password } = StoreSettings.parse(settings);
  const store = findMemoryStore(name);
  if (store === undefined)
    throw new Failure(`${side}_unreachable`, `There is no ${side} at this address.`);
  if (store.password !== password) {
    throw new Failure(`${side}_denied`, `The ${side} refused the login.`, { code: 'AUTH' });
  }
  return store;
}
