import path from 'node:path';
import { Client, escapeIdentifier } from 'pg';
import { createApiKey, findApiKey } from '../db/api-keys.ts';
import { closeDatabase, createDatabase } from '../db/database.ts';
import { Failure } from '../domain/failure.ts';
import { lastLines, runCommand } from './run-command.ts';
import type { Secrets } from './state-dir.ts';
import { databaseUrl, nodeEnvironment, projectRoot, type Setup } from './system-services.ts';

type ApiKeys = NonNullable<Secrets['apiKeys']>;

const migrateTimeoutMs = 120_000;

/** Makes our database where it is missing and brings it up to date. */
export async function ensureDatabase(setup: Setup): Promise<void> {
  await createIfMissing(setup);
  const migrate = path.join(projectRoot, 'bin', 'migrate.ts');
  const { failed, stdout, stderr } = await runCommand(process.execPath, [migrate], {
    env: nodeEnvironment(setup),
    cwd: projectRoot,
    timeoutMs: migrateTimeoutMs,
  });
  if (failed === undefined) return;
  const said = lastLines(`${stdout}\n${stderr}`, 10);
  throw new Failure(
    'unavailable',
    `The database could not be brought up to date (${failed}).\n${said}`,
  );
}

/** The two keys of the state folder, made at the first start and whenever the database does not know them. */
export async function ensureApiKeys(setup: Setup): Promise<ApiKeys> {
  const db = createDatabase(databaseUrl(setup), { connectionsMax: 1 });
  const known = setup.secrets.apiKeys;
  const keyFor = async (environment: keyof ApiKeys): Promise<string> => {
    const key = known?.[environment];
    if (key !== undefined && (await findApiKey(db, key)) !== undefined) return key;
    return (await createApiKey(db, { environment, name: 'npm run dev' })).key;
  };
  try {
    const apiKeys = { prod: await keyFor('prod'), staging: await keyFor('staging') };
    setup.state.writeSecrets({ ...setup.secrets, apiKeys });
    return apiKeys;
  } finally {
    await closeDatabase(db);
  }
}

async function createIfMissing(setup: Setup): Promise<void> {
  const name = new URL(databaseUrl(setup)).pathname.slice(1);
  const client = new Client({ connectionString: databaseUrl(setup, 'postgres') });
  await client.connect();
  try {
    const found = await client.query(/*sql*/ `select from pg_database where datname = $1`, [name]);
    if (found.rowCount === 0)
      await client.query(/*sql*/ `create database ${escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
}
