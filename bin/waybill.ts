import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Command, Option } from 'commander';
import { loadConfig, type Config } from '../config.ts';
import { createApiKey, listApiKeys, revokeApiKey, type ApiKeyRecord } from '../db/api-keys.ts';
import { rewrapConnections } from '../db/connections.ts';
import { closeDatabase, createDatabase, pingDatabase, type Database } from '../db/database.ts';
import { Failure, toFailure } from '../domain/failure.ts';
import { environments, type Environment } from '../domain/statuses.ts';
import { createSealer } from '../lib/seal.ts';
import { formatTable } from './demo-screen.ts';

// The operator's command line: `npm run waybill -- …`. It works on Waybill's own database and nothing else.

interface Where {
  readonly stateDir?: string;
}

interface KeyOptions extends Where {
  readonly environment: Environment;
  readonly name: string;
  readonly json?: boolean;
}

const program = new Command('waybill')
  .description('Looks after a Waybill installation.')
  .option(
    '--state-dir <folder>',
    'the system that `npm run dev` keeps there, instead of the one that the environment names',
  )
  .showHelpAfterError();

const key = program.command('key').description('API keys: what clients send as X-API-KEY');
key
  .command('create')
  .description('Makes a key and prints it. It cannot be shown again.')
  .addOption(environmentOption())
  .option('--name <name>', 'what the key is for', 'command line')
  .option('--json', 'prints {"id", "key"}')
  .action((options: KeyOptions) => withDatabase((db) => createKey(db, options)));
key
  .command('list')
  .description('Shows the keys of an environment, revoked ones included')
  .addOption(environmentOption())
  .option('--json', 'prints an array of objects')
  .action((options: KeyOptions) => withDatabase((db) => listKeys(db, options)));
key
  .command('revoke <id>')
  .description('Ends a key for good')
  .addOption(environmentOption())
  .option('--json', 'prints {"id"}')
  .action((id: string, options: KeyOptions) => withDatabase((db) => revokeKey(db, id, options)));
program
  .command('rotate')
  .description(
    'Wraps all stored secrets with the first key of WAYBILL_KEY; afterwards the others can go',
  )
  .option('--json', 'prints {"rewrapped"}')
  .action((options: { json?: boolean }) => rotate(options));

try {
  await program.parseAsync();
} catch (error) {
  const failure = toFailure(error);
  const cause = failure.kind === 'bug' ? ` ${String(error)}` : '';
  process.stderr.write(`${failure.message}${cause}\n`);
  process.exitCode = 1;
}

function environmentOption(): Option {
  return new Option('--environment <environment>', 'whose objects the key reaches')
    .choices(environments)
    .default('prod');
}

async function createKey(db: Database, { environment, name, json }: KeyOptions): Promise<void> {
  const created = await createApiKey(db, { environment, name });
  print(json, created, created.key);
}

async function listKeys(db: Database, { environment, json }: KeyOptions): Promise<void> {
  const keys = await listApiKeys(db, { environment });
  const shown = keys.map((each) => ({
    id: each.id,
    environment: each.environment,
    name: each.name,
    prefix: each.prefix,
    created_at: each.createdAt.toISOString(),
    last_used_at: each.lastUsedAt?.toISOString() ?? null,
    state: stateOf(each),
  }));
  const head = ['id', 'name', 'begins with', 'created', 'last used', 'state'];
  const rows = shown.map((each) => [
    each.id,
    each.name,
    each.prefix,
    each.created_at,
    each.last_used_at ?? 'never',
    each.state,
  ]);
  print(
    json,
    shown,
    rows.length === 0 ? `There is no key for ${environment}.` : formatTable([head, ...rows]),
  );
}

async function revokeKey(
  db: Database,
  id: string,
  { environment, json }: KeyOptions,
): Promise<void> {
  await revokeApiKey(db, { environment, id });
  print(json, { id }, `Key ${id} is revoked.`);
}

async function rotate({ json }: { json?: boolean }): Promise<void> {
  const config = loadConfig();
  await onDatabase(config.databaseUrl, async (db) => {
    const rewrapped = await rewrapConnections(db, createSealer(config.sealKeys));
    const first = config.sealKeys[0]?.id ?? '';
    print(
      json,
      { rewrapped },
      `${rewrapped} secrets wrapped anew with key ${first}; the others had it already.`,
    );
  });
}

function stateOf(each: ApiKeyRecord): string {
  if (each.revokedAt !== null) return 'revoked';
  return each.expiresAt !== null && each.expiresAt.getTime() <= Date.now() ? 'expired' : 'valid';
}

function print(json: boolean | undefined, object: unknown, text: string): void {
  process.stdout.write(`${json === true ? JSON.stringify(object) : text}\n`);
}

async function withDatabase(work: (db: Database) => Promise<void>): Promise<void> {
  await onDatabase(await findDatabaseUrl(program.opts<Where>().stateDir), work);
}

async function onDatabase(url: string, work: (db: Database) => Promise<void>): Promise<void> {
  const db = createDatabase(url);
  try {
    await pingDatabase(db);
    await work(db);
  } finally {
    await closeDatabase(db);
  }
}

/** The environment's database; without one, that of the development system in this folder. */
async function findDatabaseUrl(stateDir: string | undefined): Promise<string> {
  if (stateDir !== undefined) return readDevDatabaseUrl(stateDir);
  let config: Config;
  try {
    config = loadConfig();
  } catch (error) {
    const url = await readDevDatabaseUrl('.waybill').catch(() => undefined);
    if (url === undefined) throw error;
    process.stderr.write(
      'Using the development system in .waybill, since the environment names no other.\n',
    );
    return url;
  }
  return config.databaseUrl;
}

async function readDevDatabaseUrl(stateDir: string): Promise<string> {
  try {
    const state = JSON.parse(await readFile(path.join(stateDir, 'dev.json'), 'utf8')) as {
      database_url: string;
    };
    return state.database_url;
  } catch (cause) {
    throw new Failure(
      'config_invalid',
      `There is no development system in ${stateDir}: start \`npm run dev\`.`,
      {
        cause,
      },
    );
  }
}
