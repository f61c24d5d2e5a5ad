import type { ConnectorRoles } from '../connector.ts';
import { openDestination } from './destination.ts';
import { openSource } from './source.ts';

/** Both kinds of Postgres are read and written in the same way. */
export const postgresRoles: ConnectorRoles = {
  source: {
    lookbackSeconds: 30,
    open: async (settings, reach) => openSource(settings, reach),
  },
  destination: {
    open: async (settings, reach) => openDestination(settings, reach),
  },
};
