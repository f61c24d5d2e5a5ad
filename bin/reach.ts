import type { Config } from '../config.ts';
import type { Reach } from '../connectors/connector.ts';
import { createGuard, openSocket } from '../lib/guard.ts';

/** The one way out to customers' and vendors' systems: our own database and Temporal stay out of reach. */
export function createReach(config: Pick<Config, 'allowedNetworks' | 'databaseUrl' | 'temporal'>): Reach {
  const database = new URL(config.databaseUrl);
  const [temporalHost = '', temporalPort = ''] = config.temporal.address.split(/:(?=\d+$)/);
  const guard = createGuard({
    allowedNetworks: config.allowedNetworks,
    forbidden: [
      { host: database.hostname, port: Number(database.port || 5432) },
      { host: temporalHost, port: Number(temporalPort) },
    ],
  });
  return {
    socket: async ({ host, port, timeoutMs }) => openSocket(await guard.resolve(host, port), { timeoutMs }),
  };
}
