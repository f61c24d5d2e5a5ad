// Promise 4: values arrive exact, from and to every version of Postgres, or are refused clearly.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PostgresMajor } from '../../bin/embedded-postgres.ts';
import { createTestDatabase, databaseUrl, runSql } from '../harness/database.ts';
import { startPrivatePostgres } from '../harness/postgres-process.ts';
import type { PostgresAddress } from '../harness/servers.ts';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { runAllTransfers, Zoo, type ZooPlace } from './4-zoo.ts';

let system: System;

beforeAll(async () => {
  system = await createSystem({ limits: { batchRowsMax: 3 } });
});
afterAll(() => system[Symbol.asyncDispose]());

async function check(from: ZooPlace, to: ZooPlace): Promise<void> {
  await using zoo = await Zoo.create(system, from, to);
  const { stages, log } = await runAllTransfers(zoo);
  expect(log).toContain('as copy_text');
  expect(log).toContain('as copy_binary');
  for (const [stage, models] of Object.entries(stages))
    for (const { wanted, landed } of models) expect(landed, stage).toEqual(wanted);
  // The hashes that both servers reckon have to agree on every type, too.
  const healthy = { is_healthy: true, error_message: '', mismatched_partitions: [] };
  expect(await zoo.integrity()).toMatchObject([healthy, healthy]);
}

/** A server that no other file has, while the work lasts: all versions at once would fill the memory. */
async function withServer(
  major: PostgresMajor,
  work: (server: PostgresAddress) => Promise<void>,
): Promise<void> {
  await using server = await startPrivatePostgres({ major, settings: { shared_buffers: '32MB' } });
  await work(server);
}

async function createPlace(server: PostgresAddress, major: PostgresMajor): Promise<ZooPlace> {
  const name = `zoo_${randomUUID().slice(0, 8)}`;
  await runSql(databaseUrl(server, 'postgres'), `create database ${name}`);
  return { ...server, name, major };
}

test.each([12, 13, 14, 15, 16, 17] as const)(
  'whole transfers from and to Postgres %i keep every value as it is',
  { timeout: 240_000 },
  async (major) => {
    await using newest = await createTestDatabase();
    await using another = await createTestDatabase();
    await withServer(major, async (server) => {
      const [source, destination] = [
        await createPlace(server, major),
        await createPlace(server, major),
      ];
      // Both come to their end before the server goes.
      const ends = await Promise.allSettled([
        check(source, { ...newest, major: 18 }),
        check({ ...another, major: 18 }, destination),
      ]);
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
    });
  },
);
