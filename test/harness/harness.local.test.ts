import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { startTcpProxy } from './tcp-proxy.ts';
import { createTestDatabase, databaseUrl, runSql } from './database.ts';
import { startPrivatePostgres, startStandby } from './postgres-process.ts';
import { createTestTemporal } from './temporal.ts';

const template = {
  name: 'harness_template',
  build: async (url: string) => void (await runSql(url, /*sql*/ `create table filled (n int)`)),
};

describe('test databases', () => {
  test.each([12, 15, 18] as const)(
    'Postgres %i gives a database that is gone after drop',
    async (major) => {
      const database = await createTestDatabase({ major });
      const [row] = await runSql(
        database.url,
        /*sql*/ `select current_setting('server_version') as version`,
      );
      expect(row?.['version']).toMatch(new RegExp(`^${major}\\.`));
      await database.drop();
      await expect(runSql(database.url, /*sql*/ `select 1`)).rejects.toThrow('does not exist');
    },
  );

  test('two clones of one template are independent', async () => {
    const [first, second] = await Promise.all([
      createTestDatabase({ template }),
      createTestDatabase({ template }),
    ]);
    await runSql(first.url, /*sql*/ `insert into filled values (1)`);
    expect(await runSql(second.url, /*sql*/ `select n from filled`)).toEqual([]);
    await Promise.all([first.drop(), second.drop()]);
  });

  test('an ICU database sorts as people do', async () => {
    await using database = await createTestDatabase({ icuLocale: 'en-US' });
    const rows = await runSql(
      database.url,
      /*sql*/ `select x from (values ('b'), ('A'), ('a')) v(x) order by x`,
    );
    expect(rows.map((row) => row['x'])).toEqual(['a', 'A', 'b']);
  });
});

describe('a Postgres of one test', () => {
  test('keeps what was committed when it is killed and started again', async () => {
    await using postgres = await startPrivatePostgres();
    await runSql(postgres.url, /*sql*/ `create table kept as select 1 as n`);
    await postgres.kill();
    await expect(runSql(postgres.url, /*sql*/ `select 1`)).rejects.toThrow('ECONNREFUSED');
    await postgres.start();
    expect(await runSql(postgres.url, /*sql*/ `select n from kept`)).toEqual([{ n: 1 }]);
  });

  test('has a standby that follows it', async () => {
    await using primary = await startPrivatePostgres();
    await using standby = await startStandby(primary);
    await runSql(primary.url, /*sql*/ `create table followed as select 1 as n`);
    await expect
      .poll(
        () => runSql(standby.url, /*sql*/ `select to_regclass('followed') is not null as there`),
        { timeout: 10_000 },
      )
      .toEqual([{ there: true }]);
    expect(await runSql(standby.url, /*sql*/ `select pg_is_in_recovery() as r`)).toEqual([
      { r: true },
    ]);
  });
});

test('a test file has a Temporal namespace of its own that takes our search attributes', async () => {
  await using temporal = await createTestTemporal();
  const handle = await temporal.client.workflow.start('nobodyRunsThis', {
    taskQueue: 'nobody',
    workflowId: 'fixed',
    searchAttributes: { TransferId: ['t1'], WindowEnd: [new Date(0)], RowsWritten: [1] },
  });
  expect((await handle.describe()).searchAttributes['TransferId']).toEqual(['t1']);
});

describe('the proxy', () => {
  test('passes a query on, and slows, stalls and breaks it on demand', async () => {
    await using database = await createTestDatabase();
    await using proxy = await startTcpProxy(database);
    const url = databaseUrl({ ...database, host: proxy.host, port: proxy.port }, database.name);
    const client = new Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    expect((await client.query(/*sql*/ `select 1 as n`)).rows).toEqual([{ n: 1 }]);

    proxy.set({ delayMs: 100 });
    const before = performance.now();
    await client.query(/*sql*/ `select 1`);
    expect(performance.now() - before).toBeGreaterThan(190);

    proxy.set({ stalled: true });
    const stalled = client.query(/*sql*/ `select 2 as n`);
    const winner = await Promise.race([
      stalled,
      new Promise((resolve) => setTimeout(resolve, 300, 'silence')),
    ]);
    expect(winner).toBe('silence');
    proxy.set({});
    expect((await stalled).rows).toEqual([{ n: 2 }]);

    proxy.set({ resetAfterBytesDown: 100_000 });
    await expect(client.query(/*sql*/ `select repeat('x', 200000)`)).rejects.toThrow(
      /terminated|ECONNRESET/,
    );
    await expect.poll(() => proxy.connections()).toBe(0);
    proxy.set({ refused: true });
    await expect(runSql(url, /*sql*/ `select 1`)).rejects.toThrow(/terminated|ECONNRESET/);
  });
});
