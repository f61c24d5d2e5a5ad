import type { Socket } from 'node:net';
import { Client, types, type ClientConfig } from 'pg';
import type { Reach, Tunnel } from '../connector.ts';
import type { SourceSettings } from './declaration.ts';
import { toPostgresFailure, type Side } from './failures.ts';

/** `waybill-read` alone is left out of the fence: our own long reads must not hold it back. */
export const applicationNames = { source: 'waybill-read', destination: 'waybill-write' } as const;

export type ConnectionSettings = Omit<SourceSettings, 'schema'>;

/** Where to log in, and the way out to it. */
export interface Access {
  readonly settings: ConnectionSettings;
  readonly tunnel?: Tunnel | undefined;
  readonly side: Side;
  readonly reach: Reach;
}

/** A logged-in client over a socket of the guard. @throws Failure of the side */
export async function logIn(access: Access): Promise<{ client: Client; socket: Socket }> {
  const { settings, side } = access;
  const socket = await openSocket(access);
  const client = new Client({
    ...loginOf(settings),
    application_name: applicationNames[side],
    connectionTimeoutMillis: settings.connection_timeout_in_seconds * 1000,
    stream: () => alreadyConnected(socket),
    types: { getTypeParser: instantsAsText },
  });
  // A connection that dies while idle says so here; the next statement on it fails, which is soon enough.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    socket.destroy();
    throw toPostgresFailure(error, { side });
  }
  return { client, socket };
}

export async function openSocket({ settings, tunnel, side, reach }: Access): Promise<Socket> {
  const timeoutMs = settings.connection_timeout_in_seconds * 1000;
  try {
    return await reach.socket({ host: settings.host, port: settings.port, timeoutMs, tunnel });
  } catch (error) {
    throw toPostgresFailure(error, { side });
  }
}

/** Parameters, never a URL: any character is allowed in any of them. */
function loginOf(settings: ConnectionSettings): ClientConfig {
  return {
    host: settings.host,
    port: settings.port,
    database: settings.database,
    user: settings.password_auth.username,
    password: settings.password_auth.password,
    ssl: tlsOf(settings),
  };
}

function tlsOf(settings: ConnectionSettings): ClientConfig['ssl'] {
  const mode = settings.disable_ssl ? 'disable' : (settings.ssl_mode ?? 'verify-full');
  if (mode === 'disable') return false;
  if (mode === 'require') return { rejectUnauthorized: false };
  return settings.ssl_ca === undefined
    ? { rejectUnauthorized: true }
    : { rejectUnauthorized: true, ca: settings.ssl_ca };
}

/** The driver insists on connecting by itself. This socket is connected already, to a checked address. */
function alreadyConnected(socket: Socket): Socket {
  const connect = (): Socket => {
    process.nextTick(() => socket.emit('connect'));
    return socket;
  };
  return Object.assign(socket, { connect });
}

const timestampTypes: readonly number[] = [
  types.builtins.TIMESTAMPTZ,
  types.builtins.TIMESTAMP,
  types.builtins.DATE,
];

/** A JavaScript Date has milliseconds: instants stay the text that the server prints. */
function instantsAsText(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  return timestampTypes.includes(oid)
    ? (value) => value
    : types.getTypeParser(oid, format === 'binary' ? 'text' : format);
}
