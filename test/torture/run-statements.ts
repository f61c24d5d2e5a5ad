import { Client, type QueryResultRow } from 'pg';

/** In a connection of its own. @returns the rows of the last statement */
export async function runStatements<Row extends object>(
  url: string,
  statements: readonly string[],
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  // A server that is killed says so here too; the statement under way fails by itself.
  client.on('error', () => undefined);
  await client.connect();
  try {
    let rows: Row[] = [];
    for (const statement of statements) {
      rows = (await client.query<Row & QueryResultRow>(statement, [...values])).rows;
    }
    return rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}
