import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMetadata, testSealer, type Metadata } from '../test/harness/metadata.ts';
import { recallHostKey, rememberHostKey } from '../db/host-keys.ts';
import { findApiKey } from '../db/api-keys.ts';
import { insertConnection } from '../db/connections.ts';
import { runCommand } from './run-command.ts';
import { projectRoot } from './system-services.ts';

let metadata: Metadata;

beforeAll(async () => {
  metadata = await createMetadata();
});

afterAll(() => metadata[Symbol.asyncDispose]());

/** The key of the harness is `test`; a newer one stands before it. */
const keys = [Buffer.alloc(32, 9), Buffer.alloc(32, 7)].map((key) => key.toString('base64url'));

function waybill(args: readonly string[], databaseUrl = metadata.url) {
  return runCommand(process.execPath, [path.join(projectRoot, 'bin/waybill.ts'), ...args], {
    env: {
      ...process.env,
      WAYBILL_DATABASE_URL: databaseUrl,
      WAYBILL_KEY: `newer:${keys[0]},test:${keys[1]}`,
    },
    timeoutMs: 30_000,
  });
}

test('a key is made, works, is listed without its secret, and is revoked', async () => {
  const made = await waybill(['key', 'create', '--environment', 'staging', '--name', 'nightly']);
  const key = made.stdout.trim();
  expect(key).toMatch(/^sk_staging_[0-9a-f]{32}$/);
  expect(await findApiKey(metadata.db, key)).toMatchObject({
    name: 'nightly',
    environment: 'staging',
  });

  const list = await waybill(['key', 'list', '--environment', 'staging', '--json']);
  expect(list.stdout).not.toContain(key);
  const [listed] = JSON.parse(list.stdout) as { id: string; state: string }[];
  expect(listed).toMatchObject({ name: 'nightly', state: 'valid' });

  const revoke = ['key', 'revoke', listed?.id ?? '', '--environment', 'staging'];
  expect((await waybill(revoke)).failed).toBeUndefined();
  expect(await findApiKey(metadata.db, key)).toBeUndefined();
  expect(await waybill(revoke)).toMatchObject({
    failed: 'exit code 1',
    stderr: expect.stringContaining('to revoke'),
  });
});

test('a key can be limited to scopes and days, and shows both', async () => {
  const args = ['key', 'create', '--scope', 'models:write', 'logs:read', '--expires-in-days', '3'];
  const { id } = JSON.parse((await waybill([...args, '--json'])).stdout) as { id: string };
  const list = JSON.parse((await waybill(['key', 'list', '--json'])).stdout) as { id: string }[];
  const inThreeDays = new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10);
  expect(list.find((each) => each.id === id)).toMatchObject({
    scopes: ['models:write', 'logs:read'],
    expires_at: expect.stringContaining(inThreeDays),
    last_used_at: null,
  });
  const wrong = await waybill(['key', 'create', '--scope', 'everything']);
  expect(wrong).toMatchObject({
    failed: 'exit code 1',
    stderr: expect.stringContaining('Allowed choices are read, sources:read'),
  });
  const days = await waybill(['key', 'create', '--expires-in-days', 'many']);
  expect(days.stderr).toContain('a whole number from 1 to 3650');
});

test('a rotated key is like the old one, which goes on as long as it was told to', async () => {
  const made = JSON.parse(
    (await waybill(['key', 'create', '--scope', 'read', '--name', 'backend', '--json'])).stdout,
  ) as { id: string; key: string };
  const beside = await waybill(['key', 'rotate', made.id]);
  expect(await findApiKey(metadata.db, beside.stdout.trim())).toMatchObject({
    name: 'backend',
    scopes: ['read'],
    expiresAt: null,
  });
  expect(await findApiKey(metadata.db, made.key)).toMatchObject({ expiresAt: expect.any(Date) });
  const atOnce = await waybill(['key', 'rotate', made.id, '--overlap-hours', '0']);
  expect(atOnce.failed).toBeUndefined();
  expect(await findApiKey(metadata.db, made.key)).toBeUndefined();
  expect(await waybill(['key', 'rotate', made.id])).toMatchObject({
    failed: 'exit code 1',
    stderr: `There is no valid API key ${made.id} to rotate.\n`,
  });
});

test('the key of an SSH server is forgotten once, and a port is a number', async () => {
  const place = { host: 'bastion.example.com', port: 2222 };
  await rememberHostKey(metadata.db, { ...place, fingerprint: 'SHA256:x' });
  const forget = (...args: string[]) => waybill(['forget-host-key', ...args, '--json']);
  const first = await forget('Bastion.Example.com', '--port', '2222');
  expect(JSON.parse(first.stdout)).toEqual({ forgotten: true });
  expect(await recallHostKey(metadata.db, place)).toBeUndefined();
  const again = await forget('bastion.example.com', '--port', '2222');
  expect(JSON.parse(again.stdout)).toEqual({ forgotten: false });
  expect((await forget('x', '--port', 'ssh')).stderr).toContain('a whole number from 1 to 65535');
});

test('rotation wraps every secret with the first key, once', async () => {
  await insertConnection(metadata.db, {
    environment: 'prod',
    role: 'source',
    vendor: 'postgres',
    settings: {},
    secrets: { password_auth: { password: 'x' } },
    sealer: testSealer,
  });
  expect(JSON.parse((await waybill(['rotate', '--json'])).stdout)).toEqual({ rewrapped: 1 });
  expect(JSON.parse((await waybill(['rotate', '--json'])).stdout)).toEqual({ rewrapped: 0 });
});

describe('model files', () => {
  const columns = `[
    {name_in_source: 'id', name_in_destination: 'id', data_type: 'integer', is_primary_key: true},
    {name_in_source: 'at', name_in_destination: 'changed_at', data_type: 'timestamp', is_last_modified: true},
  ]`;

  async function write(name: string, text: string): Promise<string> {
    const folder = await mkdtemp(path.join(tmpdir(), 'waybill-models-'));
    await writeFile(path.join(folder, name), text);
    return path.join(folder, name);
  }

  test('are checked by form without a Waybill: JSON5 and YAML, wrapped and bare, named by their file', async () => {
    const json = await write(
      'bills.json5',
      `{model: {source_table: 'app.bill', organization_column: 'tenant', columns: ${columns}}} // a comment`,
    );
    const yaml = await write(
      'orders.yaml',
      `source_table: app.order_line\norganization_column: tenant\ncolumns: ${columns.replaceAll('\n', ' ')}`,
    );
    const sound = await waybill(['model', 'validate', json, yaml, '--json']);
    expect(sound.failed, sound.stderr).toBeUndefined();
    expect(JSON.parse(sound.stdout)).toMatchObject([
      { name: 'bills', outcome: 'sound', errors: [] },
      { name: 'orders', outcome: 'sound', errors: [] },
    ]);
  });

  test('that are wrong are named with all that is wrong, and the others are looked at all the same', async () => {
    const broken = await write('broken.json5', '{model: ');
    const wrong = await write('wrong.json5', `{source_table: 'app.bill', columns: []}`);
    const missing = path.join(tmpdir(), 'nowhere.json5');
    const refused = await waybill(['model', 'validate', broken, wrong, missing]);
    expect(refused.failed).toBe('exit code 1');
    expect(refused.stdout).toContain('broken.json5: JSON5: invalid end of input at 1:9');
    expect(refused.stdout).toContain('(M1_no_columns)');
    expect(refused.stdout).toContain('nowhere.json5: it cannot be read (ENOENT)');
  });

  test('are applied only to a Waybill that is named', async () => {
    const file = await write('bills.json5', '{}');
    const alone = await waybill(['model', 'apply', file]);
    expect(alone.stderr).toBe('This needs a Waybill: give --host and --key.\n');
    const keyless = await waybill(['model', 'apply', file, '--host', 'http://127.0.0.1:1']);
    expect(keyless.stderr).toContain('A host needs a key too');
    const away = await waybill([
      'product',
      'apply',
      file,
      '--host',
      'http://127.0.0.1:1',
      '--key',
      'k',
    ]);
    expect(away.stderr).toBe('No answer came from http://127.0.0.1:1.\n');
  });
});

test('a database that is away and an option that does not exist end with a sentence', async () => {
  const away = await waybill(['key', 'list'], 'postgres://nobody@127.0.0.1:1/none');
  expect(away).toMatchObject({
    failed: 'exit code 1',
    stderr: 'The database of Waybill does not answer.\n',
  });
  const unknown = await waybill(['key', 'create', '--environment', 'moon']);
  expect(unknown.stderr).toContain('Allowed choices are staging, prod');
});
