import type { Config } from '../config.ts';
import type { Reach } from '../connectors/connector.ts';
import { createGuard, openSocket } from '../lib/guard.ts';

type ReachConfig = Pick<Config, 'allowedNetworks' | 'databaseUrl' | 'ownServicesOpen' | 'temporal'>;

/** The one way out to customers' and vendors' systems. */
export function createReach(config: ReachConfig): Reach {
  const guard = createGuard({
    allowedNetworks: config.allowedNetworks,
    forbidden: config.ownServicesOpen ? [] : ownServices(config),
  });
  return {
    socket: async ({ host, port, timeoutMs }) =>
      openSocket(await guard.resolve(host, port), { timeoutMs }),
  };
}

/** Whoever types a host must not reach these through us, whatever networks are open. */
function ownServices({ databaseUrl, temporal }: ReachConfig): { host: string; port: number }[] {
  const database = new URL(databaseUrl);
  const [host = '', port = ''] = temporal.address.split(/:(?=\d+$)/);
  return [
    { host: database.hostname, port: Number(database.port || 5432) },
    { host, port: Number(port) },
  ];
}
