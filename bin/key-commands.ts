import { InvalidArgumentError, Option, type Command } from 'commander';
import {
  createApiKey,
  listApiKeys,
  revokeApiKey,
  rotateApiKey,
  type ApiKeyRecord,
} from '../db/api-keys.ts';
import type { Database } from '../db/database.ts';
import { keyScopes, type KeyScope } from '../domain/key-scopes.ts';
import { environments, type Environment } from '../domain/statuses.ts';
import { formatTable } from './demo-screen.ts';
import { print } from './print-result.ts';

interface KeyOptions {
  readonly environment: Environment;
  readonly json?: boolean;
}

interface CreateOptions extends KeyOptions {
  readonly name: string;
  readonly scope?: readonly KeyScope[];
  readonly expiresInDays?: number;
}

interface RotateOptions extends KeyOptions {
  readonly overlapHours: number;
}

const dayMs = 86_400_000;

/** `waybill key …`. `withDatabase` opens our database for one command. */
export function addKeyCommands(
  program: Command,
  withDatabase: (work: (db: Database) => Promise<void>) => Promise<void>,
): void {
  const key = program.command('key').description('API keys: what clients send as X-API-KEY');
  const command = (words: string, description: string) =>
    key.command(words).description(description).addOption(environmentOption());
  command('create', 'Makes a key and prints it. It cannot be shown again.')
    .option('--name <name>', 'what the key is for', 'command line')
    .addOption(scopeOption())
    .option('--expires-in-days <days>', 'ends the key by itself', wholeFrom(1, 3650))
    .option('--json', 'prints {"id", "key"}')
    .action((options: CreateOptions) => withDatabase((db) => create(db, options)));
  command('list', 'Shows the keys of an environment, revoked ones included')
    .option('--json', 'prints an array of objects')
    .action((options: KeyOptions) => withDatabase((db) => list(db, options)));
  command('rotate <id>', 'Makes a key like another one, which goes on for a while beside it')
    .option('--overlap-hours <hours>', 'how long the old key goes on', wholeFrom(0, 8760), 24)
    .option('--json', 'prints {"id", "key"}')
    .action((id: string, options: RotateOptions) => withDatabase((db) => rotate(db, id, options)));
  command('revoke <id>', 'Ends a key for good')
    .option('--json', 'prints {"id"}')
    .action((id: string, options: KeyOptions) => withDatabase((db) => revoke(db, id, options)));
}

function environmentOption(): Option {
  return new Option('--environment <environment>', 'whose objects the key reaches')
    .choices(environments)
    .default('prod');
}

function scopeOption(): Option {
  const what = 'limits the key to what is named; without it the key may do everything';
  return new Option('--scope <scope...>', what).choices(keyScopes);
}

export function wholeFrom(min: number, max: number) {
  return (text: string): number => {
    const number = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= min && number <= max) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

async function create(db: Database, options: CreateOptions): Promise<void> {
  const { environment, name, scope: scopes, expiresInDays: days } = options;
  const expiresAt = days === undefined ? undefined : new Date(Date.now() + days * dayMs);
  const created = await createApiKey(db, { environment, name, scopes, expiresAt });
  print(options.json, created, created.key);
}

async function list(db: Database, { environment, json }: KeyOptions): Promise<void> {
  const keys = await listApiKeys(db, { environment });
  const shown = keys.map((each) => ({
    id: each.id,
    environment: each.environment,
    name: each.name,
    prefix: each.prefix,
    scopes: each.scopes,
    created_at: each.createdAt.toISOString(),
    last_used_at: each.lastUsedAt?.toISOString() ?? null,
    expires_at: each.expiresAt?.toISOString() ?? null,
    state: stateOf(each),
  }));
  const head = ['id', 'name', 'begins with', 'may', 'created', 'last used', 'ends', 'state'];
  const rows = shown.map((each) => [
    each.id,
    each.name,
    each.prefix,
    each.scopes?.join(' ') ?? 'everything',
    each.created_at,
    each.last_used_at ?? 'never',
    each.expires_at ?? 'never',
    each.state,
  ]);
  const none = `There is no key for ${environment}.`;
  print(json, shown, rows.length === 0 ? none : formatTable([head, ...rows]));
}

async function rotate(db: Database, id: string, options: RotateOptions): Promise<void> {
  const { environment, overlapHours, json } = options;
  const overlapSeconds = overlapHours * 3600;
  const created = await rotateApiKey(db, { environment, id, overlapSeconds });
  print(json, created, created.key);
}

async function revoke(db: Database, id: string, options: KeyOptions): Promise<void> {
  await revokeApiKey(db, { environment: options.environment, id });
  print(options.json, { id }, `Key ${id} is revoked.`);
}

function stateOf(each: ApiKeyRecord): string {
  if (each.revokedAt !== null) return 'revoked';
  return each.expiresAt !== null && each.expiresAt.getTime() <= Date.now() ? 'expired' : 'valid';
}
