import type { Client } from 'pg';
import { describeConnectorContract } from '../../test/connector-contract.ts';
import type { ConnectorUnderTest, SeedTable } from '../../test/contract/rig.ts';
import { createTestDatabase } from '../../test/harness/database.ts';
import { postgres } from './declaration.ts';
import { quote } from './sql.ts';
import { connectAs, directReach, settingsOf } from '../../test/harness/postgres-ends.ts';
import { landedTypes } from './type-table.ts';

/** The oldest, a middle and the newest server that we promise. */
for (const major of [12, 15, 18] as const) {
  describeConnectorContract(`Postgres ${major}`, async (): Promise<ConnectorUnderTest> => {
    const source = await createTestDatabase({ major });
    const destination = await createTestDatabase({ major });
    const [sourceClient, destinationClient] = [
      await connectAs(source),
      await connectAs(destination),
    ];
    const endOf = (database: typeof source, more: object) => {
      const settings = { ...settingsOf(database), ...more };
      const { username } = settings.password_auth;
      return {
        settings,
        refused: { ...settings, password_auth: { username, password: 'guess' } },
        unreachable: { ...settings, port: 1 },
      };
    };
    return {
      declaration: postgres,
      reach: directReach,
      sourceSchema: undefined,
      source: endOf(source, {}),
      destination: endOf(destination, { schema: 'Landed "here"' }),
      seed: (table) => seed(sourceClient, table),
      readBack: (table) => readBack(destinationClient, table),
      [Symbol.asyncDispose]: async () => {
        await Promise.all([sourceClient.end(), destinationClient.end()]);
        await Promise.all([source.drop(), destination.drop()]);
      },
    };
  });
}

async function seed(client: Client, { relation, columns, rows }: SeedTable): Promise<void> {
  const name = quote(relation.table);
  const definitions = columns.map((column) => `${quote(column.name)} ${landedTypes[column.type]}`);
  const json = JSON.stringify(rows);
  const values = columns.map((column) => `(r->>'${column.name}')::${landedTypes[column.type]}`);
  await client.query('begin');
  await client.query(`create table if not exists ${name} (${definitions.join(', ')})`);
  await client.query(`delete from ${name}`);
  await client.query(
    `insert into ${name} select ${values.join(', ')} from jsonb_array_elements($1::jsonb) r`,
    [json],
  );
  await client.query('commit');
}

async function readBack(
  client: Client,
  table: string,
): Promise<Record<string, string | null>[] | undefined> {
  const found = await client.query<{ name: string }>(
    /*sql*/ `select attname as name from pg_attribute a join pg_class c on c.oid = a.attrelid
      join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'Landed "here"' and c.relname = $1 and a.attnum > 0 and not a.attisdropped
      order by a.attnum`,
    [table],
  );
  if (found.rows.length === 0) return undefined;
  const columns = found.rows.map(
    ({ name }) =>
      `case when ${quote(name)} is null then null else format('%s', ${quote(name)}) end as ${quote(name)}`,
  );
  const { rows } = await client.query<Record<string, string | null>>(
    `select ${columns.join(', ')} from "Landed ""here""".${quote(table)} t`,
  );
  return rows;
}
