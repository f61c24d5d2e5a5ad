import type { Client } from '@temporalio/client';
import { escapeIdentifier } from 'pg';
import { openBytes } from '../harness/histories.ts';
import type { Metadata } from '../harness/metadata.ts';

/** All rows of all our tables, as text. */
export async function dumpMetadata({ db }: Metadata): Promise<string> {
  const { $client: pool } = db;
  const tables = await pool.query<{
    schema: string;
    name: string;
  }>(/*sql*/ `select table_schema as schema, table_name as name from information_schema.tables
      where table_schema not in ('pg_catalog', 'information_schema')`);
  const texts: string[] = [];
  for (const { schema, name } of tables.rows) {
    const table = `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;
    const { rows } = await pool.query<{ row: string }>(
      /*sql*/ `select each::text as row from ${table} each`,
    );
    texts.push(...rows.map(({ row }) => row));
  }
  return texts.join('\n');
}

/** What Temporal shows of workflows as they stand: pending activities with their heartbeats and failures. */
export async function describeWorkflows(client: Client): Promise<string> {
  const texts: string[] = [];
  for await (const { workflowId, runId } of client.workflow.list()) {
    const { raw } = await client.workflow.getHandle(workflowId, runId).describe();
    texts.push(JSON.stringify(raw, openBytes));
  }
  return texts.join('\n');
}
