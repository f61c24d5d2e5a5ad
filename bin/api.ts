import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { createApp } from '../api/app.ts';
import { loadConfig } from '../config.ts';
import { connectors } from '../connectors/registry.ts';
import { closeDatabase, createDatabase } from '../db/database.ts';
import { pendingMigrations } from '../db/migrate.ts';
import { Failure } from '../domain/failure.ts';
import { taskQueuesOf } from '../domain/temporal-names.ts';
import { createKeyPool } from '../lib/key-pair.ts';
import { createSealer } from '../lib/seal.ts';
import { createHttpServer, type FetchCallback } from './http-server.ts';
import { startMetrics } from './metrics.ts';
import { runProcess } from './run-process.ts';
import { connectTemporal, createWorkflowPort } from './temporal-port.ts';

// The API: writes our database and signals Temporal. Any number of them may run beside each other.

/** Requests under way get so long to end after SIGTERM; a connection test takes up to 20 s. */
const drainMs = 25_000;

/** What a burst of opened forms may take before anybody has to wait. */
const keyPairsReady = 4;

await runProcess('api', main);

async function main(): Promise<void> {
  const config = loadConfig();
  const log = pino({ level: config.logLevel, base: { role: 'api' } });
  const db = createDatabase(config.databaseUrl, {
    onIdleError: ({ name }) => log.warn({ error: name }, 'an idle database connection broke'),
  });
  const client = connectTemporal(config.temporal);
  const app = Promise.withResolvers<ReturnType<typeof createApp>>();
  const fetch: FetchCallback = async (request, env) => (await app.promise).fetch(request, env);
  const { server, port } = await listen({
    fetch,
    hostname: config.api.host,
    port: config.api.port,
  });
  app.resolve(
    createApp({
      db,
      sealer: createSealer(config.sealKeys),
      keyPairs: createKeyPool(keyPairsReady),
      workflows: createWorkflowPort(client, taskQueuesOf()),
      registry: connectors,
      // Port 0 is known only now.
      publicUrl: config.publicUrl ?? `http://${hostInUrl(config.api.host)}:${port}`,
      temporalUiUrl: config.temporalUiUrl,
      rateLimits: config.rateLimits,
      machineTypes: config.machineTypes,
      log,
      pendingMigrations: () => pendingMigrations(db),
    }),
  );
  await using _metrics = await startMetrics(config.metrics, { db });
  log.info({ host: config.api.host, port }, 'api started');
  await stopSignal();
  await drain(server);
  await Promise.allSettled([closeDatabase(db), client.connection.close()]);
  log.info('api stopped');
}

/** @throws Failure `config_invalid` where the port cannot be had. */
function listen(options: {
  fetch: FetchCallback;
  hostname: string;
  port: number;
}): Promise<{ server: Server; port: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ server: Server; port: number }>();
  const server = createHttpServer(options);
  server.listen(options.port, options.hostname, () => {
    resolve({ server, port: (server.address() as AddressInfo).port });
  });
  server.once('error', (error: NodeJS.ErrnoException) => {
    const { hostname, port } = options;
    const reason = error.code === 'EADDRINUSE' ? 'is taken' : `cannot be had (${error.code})`;
    reject(new Failure('config_invalid', `WAYBILL_API_PORT ${port} on ${hostname} ${reason}.`));
  });
  return promise;
}

/** An address in a URL: IPv6 in brackets, and one that people can open for "everywhere". */
function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

function stopSignal(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  process.once('SIGTERM', resolve);
  process.once('SIGINT', resolve);
  return promise;
}

/** Takes no new requests and lets those under way end. */
async function drain(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), drainMs);
  await promise;
  clearTimeout(timer);
}
