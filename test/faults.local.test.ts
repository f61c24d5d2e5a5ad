import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { postgres } from '../connectors/postgres/declaration.ts';
import { ModelDefinition, sharedTableOf } from '../domain/model.ts';
import { driveTransfer, type Route, type Transfer } from './drive-transfer.ts';
import { Faults, type Fault } from './faulty.ts';
import { createTestDatabase, type TestDatabase } from './harness/database.ts';
import { connectAs, directReach, settingsOf } from './harness/postgres-ends.ts';

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  client = await connectAs(database);
  await client.query(/*sql*/ `create schema shop`);
});

afterAll(async () => {
  await client.end();
  await database.drop();
});

/** A table of the vendor, with rows of two tenants, and where it lands. */
interface World {
  readonly name: string;
  route(faults: Faults): Route;
}

async function createWorld(): Promise<World> {
  const name = `t_${randomUUID().replaceAll('-', '')}`;
  await client.query(/*sql*/ `
    create table shop.from_${name} (tenant text, id bigint primary key, changed timestamptz, note text);
    insert into shop.from_${name}
    select case when n % 5 = 0 then 'globex' else 'acme' end, n, '2026-01-01'::timestamptz + n / 3 * interval '1 s', 'first'
    from generate_series(1, 15) n`);
  const modelId = randomUUID();
  const table = sharedTableOf(
    ModelDefinition.parse({
      model_name: name,
      source_table: `shop.from_${name}`,
      organization_column: 'tenant',
      columns: [
        {
          name_in_source: 'id',
          name_in_destination: 'id',
          data_type: 'bigint',
          is_primary_key: true,
        },
        {
          name_in_source: 'changed',
          name_in_destination: 'changed',
          data_type: 'timestamp',
          is_last_modified: true,
        },
        { name_in_source: 'note', name_in_destination: 'note', data_type: 'string' },
      ],
    }),
  );
  const settings = { ...settingsOf(database), schema: 'landed' };
  return {
    name,
    route(faults) {
      const connector = faults.wrap(postgres);
      return {
        source: connector,
        sourceSettings: settingsOf(database),
        destination: connector,
        destinationSettings: settings,
        reach: directReach,
        table,
        tenantId: 'acme',
        modelId,
        batchRowsMax: 3,
        batchesPerSlice: 2,
      };
    },
  };
}

/** Rows that only one side has; a row that is there twice counts too. */
async function differences({ name }: World): Promise<unknown[]> {
  const { rows } = await client.query(/*sql*/ `
    with source as (select id, changed, note from shop.from_${name} where tenant = 'acme'),
    landed as (select id, changed, note from landed.${name})
    (table source except all table landed) union all (table landed except all table source)`);
  return rows;
}

async function drive(world: World, transfer: Transfer, planned: readonly Fault[] = []) {
  const faults = new Faults(planned);
  await driveTransfer(world.route(faults), transfer);
  return faults.calls;
}

/**
 * A landed world whose source has moved on; with a row less, so that only a refresh makes both ends
 * equal.
 */
async function movedOn(isRowGone: boolean): Promise<World> {
  const world = await createWorld();
  await drive(world, { startedAtMicros: 1 });
  await client.query(/*sql*/ `
    update shop.from_${world.name} set note = 'second', changed = now() where id % 2 = 0;
    insert into shop.from_${world.name} values ('acme', 16, now(), 'new');`);
  if (isRowGone) await client.query(/*sql*/ `delete from shop.from_${world.name} where id = 1`);
  return world;
}

/** Calls that change something at the destination; what only asks is walked in memory. */
function changing(calls: readonly string[]): [index: number, verb: string][] {
  return [...calls.entries()].filter(([, verb]) =>
    /^load\.|^destination\.(load|apply)$/.test(verb),
  );
}

test.each<[string, () => Promise<World>, Transfer]>([
  ['a first load', createWorld, { startedAtMicros: 1 }],
  ['an incremental load', () => movedOn(false), { startedAtMicros: 2 }],
  ['a full refresh', () => movedOn(true), { startedAtMicros: 2, isFullRefresh: true }],
])('%s survives that the answer to any of its changes is lost', async (_, prepare, transfer) => {
  const calls = await drive(await prepare(), transfer);
  expect(changing(calls).length).toBeGreaterThan(5);
  const wrong: string[] = [];
  for (const [index, verb] of changing(calls)) {
    const world = await prepare();
    await drive(world, transfer, [{ call: index + 1, when: 'after' }]);
    const rows = await differences(world);
    if (rows.length > 0) wrong.push(`after call ${index + 1}, ${verb}`);
  }
  expect(wrong).toEqual([]);
});

test('a first load that failed for good at any change is finished by the next transfer', async () => {
  const calls = await drive(await createWorld(), { startedAtMicros: 1 });
  const wrong: string[] = [];
  for (const [index, verb] of changing(calls)) {
    const world = await createWorld();
    const fault: Fault = { call: index + 1, when: 'before' };
    await expect(drive(world, { startedAtMicros: 1, attemptsMax: 1 }, [fault])).rejects.toThrow(
      'broke',
    );
    await drive(world, { startedAtMicros: 2 });
    if ((await differences(world)).length > 0) wrong.push(`before call ${index + 1}, ${verb}`);
  }
  expect(wrong).toEqual([]);
});
