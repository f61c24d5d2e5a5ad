import { connect } from 'node:net';
import { once } from 'node:events';
import { Client } from 'pg';
import type { Reach } from '../../connectors/connector.ts';

/** A database of a test server and who logs in. */
export interface TestPlace {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly name: string;
}

/** A way out without a guard, to servers of the tests. */
export const directReach: Reach = {
  socket: async ({ host, port }) => {
    const socket = connect({ host, port, noDelay: true });
    await once(socket, 'connect');
    return socket;
  },
};

export function settingsOf(place: TestPlace) {
  return {
    host: place.host,
    port: place.port,
    database: place.name,
    password_auth: { username: place.user, password: place.password },
    disable_ssl: true,
    connection_timeout_in_seconds: 10,
  };
}

/** A plain client beside the connector, with instants as the server prints them in UTC. */
export async function connectAs(place: TestPlace): Promise<Client> {
  const { host, port, user, password, name: database } = place;
  const client = new Client({ host, port, user, password, database });
  await client.connect();
  await client.query(
    `set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set extra_float_digits = 3`,
  );
  return client;
}
