import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHttpServer } from '../../bin/http-server.ts';
import { runCommand } from '../../bin/run-command.ts';
import { projectRoot } from '../../bin/system-services.ts';
import { createSystem, type System } from '../harness/system.ts';
import { transfer } from '../harness/transfers.ts';
import { createCustomer, createVendor, fill, type Vendor } from '../harness/vendor.ts';

// Model files from a desk, with the command line against an API that runs: inferred, applied, compared.

let system: System;
let vendor: Vendor;
let server: Server;
let host: string;
let folder: string;

beforeAll(async () => {
  system = await createSystem();
  vendor = await createVendor(system);
  server = createHttpServer({ fetch: system.fetch, hostname: '127.0.0.1' }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  host = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  folder = await mkdtemp(path.join(tmpdir(), 'waybill-models-'));
  await vendor.sql.query(`create schema shop;
    create table shop."Bills" (id bigint primary key, account uuid not null, "order" text,
      net numeric(10, 2), updated_at timestamptz not null, secret text);
    create index on shop."Bills" (account, updated_at, id);
    comment on column shop."Bills".net is 'Before tax'`);
});

afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true });
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

/** The command line, as a vendor's CI runs it. */
function waybill(...args: string[]) {
  const env = { ...process.env, WAYBILL_HOST: host, WAYBILL_API_KEY: system.keys.prod };
  return runCommand(process.execPath, [path.join(projectRoot, 'bin/waybill.ts'), ...args], {
    env,
    timeoutMs: 60_000,
  });
}

async function write(name: string, text: string): Promise<string> {
  const file = path.join(folder, name);
  await writeFile(file, text);
  return file;
}

test('a table becomes a model file, which is published, unchanged, changed and refused', async () => {
  const inferred = await waybill(
    'model',
    'infer',
    '--source',
    vendor.sourceName,
    '--table',
    'shop."Bills"',
  );
  expect(inferred.failed, inferred.stderr).toBeUndefined();
  expect(inferred.stdout).toContain('Check that account (uuid) says whose row it is');
  expect(inferred.stdout).toContain("name_in_source:'order',name_in_destination:'order_value'");
  expect(inferred.stdout).toContain("description:'Before tax'}, // numeric(10,2)");
  const file = await write('bills.json5', inferred.stdout);

  expect((await waybill('model', 'diff', file)).stdout).toContain('Bills: new\n  + id\n');
  const created = await waybill('model', 'apply', file);
  expect(created.stdout).toBe(`${file}: Bills: Model created\n`);
  expect((await waybill('model', 'diff', file)).stdout).toContain('Bills: unchanged\n');
  const stored = () =>
    system.api<{ model: { revision_id: string; columns: object[] } }>('GET', '/models/Bills');
  const first = (await stored()).model;
  expect((await waybill('model', 'apply', file)).failed).toBeUndefined();
  expect((await stored()).model.revision_id).toBe(first.revision_id);

  const shorter = await write('shorter.json5', inferred.stdout.replace(/^.*secret.*\n/m, ''));
  const difference = await waybill('model', 'diff', shorter);
  expect(difference.stdout).toContain('  - secret: stays at the destinations, with no new values');
  expect((await waybill('model', 'apply', shorter)).stdout).toContain('Model replaced');
  expect((await stored()).model.columns).toHaveLength(first.columns.length - 1);

  const retyped = await write(
    'retyped.json5',
    inferred.stdout.replace('"decimal"', '"string"').replace("'decimal'", "'string'"),
  );
  const [compared, applied] = [
    await waybill('model', 'diff', retyped),
    await waybill('model', 'apply', retyped),
  ];
  for (const refused of [compared, applied]) {
    expect(refused.failed).toBe('exit code 1');
    expect(refused.stdout).toContain('(M23_type_changed)');
    expect(refused.stdout).toContain('(M24_dropped_column)');
  }
  expect((await stored()).model.columns).toHaveLength(first.columns.length - 1);
});

test('a table that is not there, or a source that is not named, is one sentence', async () => {
  await system.api('POST', '/sources', {
    source: {
      name: 'another',
      vendor: 'postgres',
      postgres: {
        ...{ host: 'db.test', port: 5432, database: 'app', schema: 'public' },
        ...{ auth_method: 'password_auth', password_auth: { username: 'a', password: 'b' } },
      },
    },
  });
  const missing = await waybill(
    'model',
    'infer',
    '--source',
    vendor.sourceName,
    '--table',
    'shop.nothing',
  );
  expect(missing.stderr).toContain('There is no table shop.nothing at the source.');
  const unnamed = await waybill('model', 'infer', '--table', 'shop.nothing');
  expect(unnamed.stderr).toContain('There are several sources.');
});

interface Plan {
  readonly counts: Record<string, number>;
  readonly starts_over: boolean;
  readonly destinations: readonly object[];
}

test('a plan says what each destination would see, and changes nothing anywhere', async () => {
  await fill(vendor.sql, 'acme', { rows: 10 });
  await using loaded = await createCustomer(system, { vendor, tenant: 'acme' });
  await using fresh = await createCustomer(system, { vendor, tenant: 'globex' });
  const options = { enabled_models: ['Bills'] };
  await using elsewhere = await createCustomer(system, {
    vendor,
    tenant: 'x',
    destination: options,
  });
  await transfer(system, loaded.destinationId);
  const { model } = await system.api<{ model: { columns: object[] } }>(
    'GET',
    `/models/${vendor.modelId}`,
  );
  const plan = (changes: object) =>
    system.api<Plan>('POST', '/actions/plan-model', { model: { ...model, ...changes } });
  const before = await system.api('GET', `/models/${vendor.modelId}`);

  expect((await plan({})).counts).toMatchObject({ destinations: 2, none: 1, first_load: 1 });
  const added = { name_in_source: 'tenant', name_in_destination: 'who', data_type: 'string' };
  const wider = await plan({
    columns: [...model.columns.slice(0, -2), model.columns.at(-1), added],
  });
  expect(wider).toMatchObject({
    change: 'update',
    added_columns: ['who'],
    removed_columns: ['body'],
    starts_over: false,
  });
  expect(wider.destinations).toMatchObject([
    {
      destination_id: loaded.destinationId,
      action: 'change',
      added_columns: ['who'],
      columns_no_longer_written: ['body'],
    },
    { destination_id: fresh.destinationId, action: 'first_load' },
  ]);
  const moved = await plan({ organization_column: 'note' });
  expect(moved).toMatchObject({ starts_over: true, counts: { first_load: 2 } });
  const broken = await plan({ columns: [] });
  expect(broken).toMatchObject({ status: 'error', change: 'none', counts: { destinations: 0 } });

  expect(await system.api('GET', `/models/${vendor.modelId}`)).toEqual(before);
  expect(JSON.stringify(wider)).not.toContain(elsewhere.destinationId);
  const tables = await loaded.sql.query(
    `select from information_schema.columns where column_name = 'who'`,
  );
  expect(tables.rowCount).toBe(0);
});
