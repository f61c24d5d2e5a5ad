import { startPostgres, type PostgresServer } from '../../bin/embedded-postgres.ts';
import { findFreePort } from '../../bin/free-port.ts';
import { startTemporal, type TemporalServer } from '../../bin/temporal-server.ts';

/** A Postgres on one port that can be killed as by a power cut, and comes back over the same data. */
export interface KeptPostgres extends AsyncDisposable {
  readonly port: number;
  readonly password: string;
  killAndStart(): Promise<void>;
}

const password = 'torture';
const say = () => undefined;
const settings = { shared_buffers: '64MB', max_wal_size: '512MB' };

export async function keepPostgres(dataDir: string): Promise<KeptPostgres> {
  const port = await findFreePort();
  const start = () => startPostgres({ dataDir, port, superuserPassword: password, say, settings });
  let server: PostgresServer = await start();
  return {
    port,
    password,
    async killAndStart() {
      await server.kill();
      server = await start();
    },
    [Symbol.asyncDispose]: () => server.kill(),
  };
}

export interface KeptTemporal extends AsyncDisposable {
  readonly address: string;
  killAndStart(): Promise<void>;
  freeze(ms: number): Promise<void>;
}

export interface KeptTemporalOptions {
  readonly binary: string;
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly onPid: (name: string, pid: number) => void;
}

/** Its database is a file, so that it forgets nothing when it is killed. */
export async function keepTemporal(options: KeptTemporalOptions): Promise<KeptTemporal> {
  const { binary, folder, env, onPid } = options;
  const port = await findFreePort();
  const start = () =>
    startTemporal({ binary, folder, env, port, onPid: (pid) => onPid('temporal', pid) });
  let server: TemporalServer = await start();
  const kill = async () => {
    process.kill(server.pid, 'SIGKILL');
    await server.exited;
  };
  return {
    address: server.address,
    async killAndStart() {
      await kill();
      server = await start();
    },
    async freeze(ms) {
      const { pid } = server;
      process.kill(pid, 'SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, ms));
      process.kill(pid, 'SIGCONT');
    },
    [Symbol.asyncDispose]: kill,
  };
}
