import type { Config } from '../config.ts';
import type { Reach } from '../connectors/connector.ts';
import type { Db } from '../db/database.ts';
import { recallHostKey, rememberHostKey, type HostPlace } from '../db/host-keys.ts';
import { createGuard, openSocket } from '../lib/guard.ts';
import { openTunnel, type HostKeys } from './ssh-tunnel.ts';

type ReachConfig = Pick<Config, 'allowedNetworks' | 'databaseUrl' | 'ownServicesOpen' | 'temporal'>;

/** The one way out to customers' and vendors' systems. Behind a tunnel its server looks up the host. */
export function createReach(config: ReachConfig, hostKeys: HostKeys): Reach {
  const guard = createGuard({
    allowedNetworks: config.allowedNetworks,
    forbidden: config.ownServicesOpen ? [] : ownServices(config),
  });
  const connect = async ({ host, port }: HostPlace, timeoutMs: number) =>
    openSocket(await guard.resolve(host, port), { timeoutMs });
  return {
    socket: async (target) => {
      const { tunnel, timeoutMs } = target;
      if (tunnel === undefined) return connect(target, timeoutMs);
      const socket = await connect(tunnel, timeoutMs);
      try {
        return await openTunnel(target, { tunnel, socket, hostKeys });
      } catch (error) {
        socket.destroy();
        throw error;
      }
    },
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

/** The keys of SSH servers in our database: remembered at the first login. */
export function hostKeysOf(db: Db): HostKeys {
  return {
    recall: (place) => recallHostKey(db, place),
    remember: (place) => rememberHostKey(db, place),
  };
}
