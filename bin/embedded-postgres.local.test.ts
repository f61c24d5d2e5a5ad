import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { runSql } from '../test/harness/database.ts';
import { testServers } from '../test/harness/servers.ts';
import { startPostgres, type PostgresOptions } from './embedded-postgres.ts';

const password = `p w/@:'"%`;
const said: string[] = [];

function optionsFor(name: string): PostgresOptions {
  const dataDir = path.join(testServers().folder, `${name}-${randomUUID()}`);
  return { dataDir, superuserPassword: password, say: (line) => void said.push(line) };
}

describe('startPostgres', () => {
  test('keeps the data of the folder, and the password, over a clean stop', async () => {
    const options = optionsFor('kept');
    const first = await startPostgres(options);
    await runSql(first.url, /*sql*/ `create table kept as select 1 as n`);
    await first.stop();
    expect(await first.exited).toBe('exit code 0');
    const second = await startPostgres({ ...options, superuserPassword: password });
    expect(await runSql(second.url, /*sql*/ `select n from kept`)).toEqual([{ n: 1 }]);
    await second.stop();
  });

  test('starts over a server that nobody stopped, and over sessions that outlived theirs', async () => {
    const options = optionsFor('leftover');
    const first = await startPostgres(options);
    await runSql(first.url, /*sql*/ `create table kept as select 1 as n`);
    const second = await startPostgres(options);
    expect(await first.exited).toBe('exit code 0');
    expect(said).toContain(
      `Ending the Postgres that an earlier run left behind in ${second.cluster} …`,
    );
    const client = new Client({ connectionString: second.url });
    client.on('error', () => undefined);
    await client.connect();
    // A session that is busy computing does not notice for a while that its server was killed.
    const busy = client.query(/*sql*/ `select count(*) from generate_series(1, 500000000)`);
    busy.catch(() => undefined);
    await expect
      .poll(() =>
        runSql(
          second.url,
          /*sql*/ `
            select 1 from pg_stat_activity
            where query like '%500000000%' and state = 'active' and pid <> pg_backend_pid()`,
        ),
      )
      .toHaveLength(1);
    process.kill(second.pid, 'SIGKILL');
    await second.exited;
    const third = await startPostgres(options);
    expect(await runSql(third.url, /*sql*/ `select n from kept`)).toEqual([{ n: 1 }]);
    await third.stop();
  });

  test('takes settings', async () => {
    const options = {
      ...optionsFor('settings'),
      settings: { wal_level: 'logical', max_connections: '20' },
    };
    const server = await startPostgres(options);
    const rows = await runSql(
      server.url,
      /*sql*/ `
        select setting from pg_settings
        where name in ('wal_level', 'max_connections', 'fsync') order by name`,
    );
    expect(rows.map((row) => row['setting'])).toEqual(['on', '20', 'logical']);
    await server.kill();
    expect(await server.exited).toBe('signal SIGKILL');
  });

  test('says why it does not start', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await expect(startPostgres({ ...optionsFor('taken'), port })).rejects.toThrow(
      /Postgres did not start \(exit code 1\).*could not (bind|create)/s,
    );
    other.close();
  });
});
