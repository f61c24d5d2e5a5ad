import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Command } from 'commander';
import { loadConfig, type Config } from '../config.ts';
import { rewrapSecrets } from '../db/sealed-columns.ts';
import { forgetHostKey } from '../db/host-keys.ts';
import { rotateSigningKey } from '../db/signing-keys.ts';
import { closeDatabase, createDatabase, pingDatabase, type Database } from '../db/database.ts';
import { Failure, toFailure } from '../domain/failure.ts';
import { createSealer } from '../lib/seal.ts';
import { addKeyCommands, wholeFrom } from './key-commands.ts';
import { addModelCommands } from './model-commands.ts';
import { print } from './print-result.ts';

// The command line: `npm run waybill -- …`. An operator's commands work on Waybill's own database, those
// for model files on the files themselves and, where told, on the API.

interface Where {
  readonly stateDir?: string;
}

const program = new Command('waybill')
  .description('Looks after a Waybill installation.')
  .option(
    '--state-dir <folder>',
    'the system that `npm run dev` keeps there, instead of the one that the environment names',
  )
  .showHelpAfterError();

addKeyCommands(program, withDatabase);
addModelCommands(program);
program
  .command('webhook-key')
  .description('The key that signs webhooks')
  .command('rotate')
  .description('Makes a new one; receivers can read the old one for seven days')
  .option('--json', 'prints {"key_id", "public_key"}')
  .action((options: { json?: boolean }) => rotateWebhookKey(options));
program
  .command('forget-host-key <host>')
  .description('Lets an SSH server of a tunnel show another key than before')
  .option('--port <number>', 'where it listens', wholeFrom(1, 65_535), 22)
  .option('--json', 'prints {"forgotten"}')
  .action((host: string, options: { port: number; json?: boolean }) => forget(host, options));
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

async function forget(
  host: string,
  { port, json }: { port: number; json?: boolean },
): Promise<void> {
  await withDatabase(async (db) => {
    const place = { host: host.toLowerCase(), port };
    const forgotten = await forgetHostKey(db, place);
    const said = forgotten
      ? 'The next login takes the key that it finds.'
      : 'No key was known of it.';
    print(json, { forgotten }, said);
  });
}

async function rotateWebhookKey({ json }: { json?: boolean }): Promise<void> {
  const config = loadConfig();
  await onDatabase(config.databaseUrl, async (db) => {
    const { id, publicKey } = await rotateSigningKey(db, createSealer(config.sealKeys));
    print(
      json,
      { key_id: id, public_key: publicKey },
      `Webhooks are signed with key ${id} from now on.`,
    );
  });
}

async function rotate({ json }: { json?: boolean }): Promise<void> {
  const config = loadConfig();
  await onDatabase(config.databaseUrl, async (db) => {
    const sealer = createSealer(config.sealKeys);
    const rewrapped = await rewrapSecrets(db, sealer);
    const first = config.sealKeys[0]?.id ?? '';
    print(
      json,
      { rewrapped },
      `${rewrapped} secrets wrapped anew with key ${first}; the others had it already.`,
    );
  });
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
