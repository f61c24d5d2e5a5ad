import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Destination } from '../../api/destination-object.ts';
import type { Transfer } from '../../api/transfer-object.ts';
import { createHttpServer } from '../../bin/http-server.ts';
import type { Page } from '../harness/browser.ts';
import { openPage } from '../harness/browser.ts';
import type { Envelope } from '../harness/customer-page.ts';
import { changesOf, customerPage, flatten, nextQuery } from '../harness/customer-page.ts';
import type { TestDatabase } from '../harness/database.ts';
import { createTestDatabase } from '../harness/database.ts';
import type { TreeNode } from '../harness/form-client.ts';
import { destinationOf, shownFields } from '../harness/form-client.ts';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { transfer } from '../harness/transfers.ts';
import type { Vendor } from '../harness/vendor.ts';
import { connect, createVendor, fill, rowsAtCustomer, rowsAtSource } from '../harness/vendor.ts';

// A customer connects its own database on a page of the vendor's product: a browser of another origin, the
// vendor's backend that makes tokens for it, real rows at the end. Over HTTP, as section 18 has it.

const tenant = 'acme';
let system: System;
let vendor: Vendor;
let database: TestDatabase;
let server: Server;
let host: string;
let recipientId: string;

beforeAll(async () => {
  system = await createSystem();
  vendor = await createVendor(system);
  database = await createTestDatabase();
  await fill(vendor.sql, tenant, { rows: 300 });
  const product = { product_name: 'orders', models: [vendor.modelName] };
  await system.api('POST', '/products', { product });
  const recipient = { name: 'Acme', id_in_provider_system: tenant, products: ['orders'] };
  const made = await system.api<{ recipient: { id: string } }>('POST', '/recipients', {
    recipient,
  });
  recipientId = made.recipient.id;
  server = createHttpServer({ fetch: system.fetch, hostname: '127.0.0.1' });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  host = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await database.drop();
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

/** The vendor's backend: it knows who is logged in, and names the origin with its scheme. */
async function mintToken(destination: object): Promise<string> {
  const response = await fetch(`${host}/actions/generate-scoped-auth-token`, {
    method: 'POST',
    headers: { 'X-API-KEY': system.keys.prod, 'X-Prequel-Api-Version': '2023-12-01' },
    body: JSON.stringify({
      application_origin: 'http://localhost:3000',
      recipient_id: recipientId,
      destination,
    }),
  });
  const { data } = (await response.json()) as Envelope<{ scoped_token: string }>;
  return data.scoped_token;
}

const openCustomerPage = (page: Page = openPage('http://localhost:3000')) => ({
  page,
  ...customerPage({ page, host, appId: 'localhost:3000', fetchToken: mintToken }),
});

/** What a person enters. Select boxes give text; what was left alone is empty. */
function entered(): Record<string, unknown> {
  return {
    vendor: 'postgres',
    name: 'Our warehouse',
    recipient_id: recipientId,
    enabled_models: [vendor.modelName],
    frequency_minutes: '60',
    is_enabled: true,
    auth_method: 'password_auth',
    host: database.host,
    port: String(database.port),
    database: database.name,
    username: database.user,
    password: database.password,
    schema: 'shared',
    disable_ssl: true,
    use_ssh_tunnel: false,
    cluster: '',
  };
}

type Tree = { form: TreeNode; sections: { id: string }[] };
type One = { destination: Destination };

/** The request that a page makes of the form: what it always sends, and the block that the tree leads to. */
function prepare(form: TreeNode, values: Record<string, unknown>): Destination {
  const {
    vendor: kind,
    name,
    recipient_id,
    enabled_models,
    frequency_minutes,
    is_enabled,
  } = values;
  const always = {
    vendor: kind,
    name,
    recipient_id,
    enabled_models,
    frequency_minutes,
    is_enabled,
  };
  const block = Reflect.get(destinationOf(form, values), String(kind)) as object;
  return { ...always, [String(kind)]: block } as unknown as Destination;
}

test('a customer finds its form, tests, connects, changes, watches its rows arrive, and leaves', async () => {
  const { page, ...api } = openCustomerPage();

  // What there is to choose.
  const { data: vendors } = await api.vendors<{ key: string; disabled: boolean }[]>();
  expect(vendors.find(({ key }) => key === 'postgres')).toMatchObject({ disabled: false });
  const { data: tree } = await api.form<Tree>('?org_id=our-account&vendor=postgres');
  const { data: shown } = await api.modelsForRecipient<{ models: { model_name: string }[] }>();
  expect(shown.models.map(({ model_name }) => model_name)).toEqual([vendor.modelName]);
  expect((await api.models<{ models: object[] }>()).data.models).toHaveLength(1);
  const { data: offered } = await api.products<{ products: object[] }>();
  expect(offered.products).toMatchObject([{ product_name: 'orders', models: [vendor.modelName] }]);
  expect((await api.destinations<{ destinations: object[] }>()).data.destinations).toEqual([]);

  // A tunnel needs a key, which is shown.
  const withTunnel = shownFields(tree.form, { ...entered(), use_ssh_tunnel: true });
  const keyField = withTunnel.find(({ node }) => node.name === 'ssh_public_key');
  expect(keyField?.path).toBe('postgres.ssh_tunnel.ssh_public_key');
  const { data: key } = await api.sshKey<{ public_key: string; public_key_pkcs8: string }>();
  expect(key.public_key).toMatch(/^ssh-rsa /);
  expect(key.public_key_pkcs8).toMatch(/^-----BEGIN PUBLIC KEY-----/);

  // A wrong password is said as it is, and nothing is kept.
  const wrong = prepare(tree.form, { ...entered(), password: 'wrong' });
  const refused = await api.test<{ status: string }>(wrong);
  expect(refused).toMatchObject({ status: 'success', data: { status: 'error' } });
  expect(refused.message).toMatch(/password|login/i);

  // The right one.
  const prepared = prepare(tree.form, entered());
  expect((await api.test<{ status: string }>(prepared)).data.status).toBe('success');
  const created = await api.create<One>(prepared);
  expect(created.status, created.message).toBe('success');
  const { id } = created.data.destination;

  // What is read back gives no false change: the same form, filled with it, sends nothing.
  const [stored] = (await api.destinations<{ destinations: Destination[] }>()).data.destinations;
  expect(stored).toMatchObject({ id, recipient_id: recipientId, frequency_minutes: 60 });
  const again = prepare(tree.form, { ...flatten(stored!), vendor: 'postgres' });
  expect(changesOf(stored!, again)).toEqual({});

  // One field is changed, tried and saved; the stored password goes on to serve.
  const edited = prepare(tree.form, { ...flatten(stored!), schema: 'landing' });
  const changes = changesOf(stored!, edited);
  expect(changes).toEqual({ postgres: { schema: 'landing' } });
  expect((await api.testExisting<{ status: string }>(id, changes)).data.status).toBe('success');
  const updated = await api.update<One>(id, changes);
  expect(updated.data.destination).toMatchObject({ postgres: { schema: 'landing' } });

  // The vendor starts transfers; the customer pages through them.
  const ids = [];
  for (let run = 0; run < 3; run += 1) ids.unshift((await transfer(system, id)).id);
  const sql = await connect(database);
  const table = `landing.${vendor.modelName}`;
  expect(await rowsAtCustomer({ sql, table })).toEqual(await rowsAtSource(vendor, tenant));
  await sql.end();
  const owned = updated.data.destination;
  type Transfers = { transfers: Transfer[] };
  const first = await api.transfers<Transfers>(owned, '?count=2&status=SUCCESS');
  expect(first.data.transfers.map((one) => one.id)).toEqual(ids.slice(0, 2));
  const seen: string[] = [];
  for (let query: string | undefined = '?page_size=2'; query !== undefined;) {
    const listed: Envelope<Transfers> = await api.listTransfers<Transfers>(owned, query);
    for (const { id: one, status, log } of listed.data.transfers) {
      expect([status, typeof log]).toEqual(['SUCCESS', 'string']);
      seen.push(one);
    }
    expect(listed.next_url ?? '').not.toMatch(/[+ ]/);
    query = listed.has_next === true ? nextQuery(listed.next_url ?? '', 2) : undefined;
  }
  expect(seen).toEqual(ids);

  // And it leaves.
  expect(await api.remove<object>(owned)).toMatchObject({ status: 'success', data: {} });
  expect((await api.destinations<{ destinations: object[] }>()).data.destinations).toEqual([]);

  // No Content-Type of its own, no key, on any of all these.
  for (const { headers } of page.sent) {
    const names = Object.keys(headers).map((name) => name.toLowerCase());
    expect(names.filter((name) => ['content-type', 'x-api-key'].includes(name))).toEqual([]);
  }
  expect(new Set(page.sent.map(({ method }) => method))).toEqual(
    new Set(['GET', 'OPTIONS', 'POST', 'PATCH', 'DELETE']),
  );
});

describe('a page of another origin can read what went wrong, as JSON', () => {
  const versioned = { 'X-Prequel-Api-Version': '2023-12-01' };
  const empty = { Authorization: 'Bearer ', 'X-APP-ID': 'localhost:3000' };
  const withToken = async (on: object = {}) => ({
    Authorization: `Bearer ${await mintToken(on)}`,
    'X-APP-ID': 'localhost:3000',
  });
  const destination = { vendor: 'postgres', name: 'x', postgres: {} };

  test.each<[string, string, () => Promise<object> | object, number]>([
    ['an empty token', '/destinations-for-recipient', () => ({ headers: empty }), 401],
    ['no credential', '/export/models', () => ({}), 401],
    ['an unknown path', '/nothing', () => ({}), 404],
    ['a wrong method', '/export/models', () => ({ method: 'PUT' }), 405],
    [
      'an unknown version',
      '/public/destination-vendors',
      () => ({ headers: { 'X-Prequel-Api-Version': '2020-01-01' } }),
      400,
    ],
    [
      'no JSON',
      '/test-destination',
      async () => ({ method: 'POST', headers: await withToken(), body: '{"destination":' }),
      400,
    ],
    [
      'what the token was not made for',
      '/destinations',
      async () => ({
        method: 'POST',
        headers: { ...(await withToken({})), ...versioned },
        body: JSON.stringify({ destination }),
      }),
      403,
    ],
    [
      'a block that lacks fields',
      '/destinations',
      async () => ({
        method: 'POST',
        headers: { ...(await withToken(destination)), ...versioned },
        body: JSON.stringify({ destination }),
      }),
      400,
    ],
    [
      'another’s destination',
      '/destinations/0199aa00-0000-7000-8000-00000000beef',
      async () => ({ method: 'DELETE', headers: await withToken() }),
      404,
    ],
  ])('%s', async (_, path, request, status) => {
    const page = openPage('https://app.example.com');
    const answer = await page.fetch(`${host}${path}`, await request());
    expect(answer.status, answer.text).toBe(status);
    expect(JSON.parse(answer.text)).toMatchObject({
      status: 'error',
      data: null,
      message: expect.stringMatching(/\w/),
    });
  });

  test('a page whose origin the token was not made for reads that too', async () => {
    const page = openPage('https://evil.example.com');
    const api = customerPage({ page, host, appId: 'evil.example.com', fetchToken: mintToken });
    const answer = await api.destinations<null>();
    expect(answer).toMatchObject({ status: 'error', data: null });
  });
});

describe('origins', () => {
  test.each(['localhost:3000', 'http://localhost:3000', 'LOCALHOST:3000'])(
    'a token made for http://localhost:3000 works with X-APP-ID %s',
    async (appId) => {
      const page = openPage('http://localhost:3000');
      const api = customerPage({ page, host, appId, fetchToken: mintToken });
      expect(await api.destinations()).toMatchObject({ status: 'success', has_next: false });
    },
  );
});

test('what a client may keep is asked for only once', async () => {
  const page = openPage('http://localhost:3000');
  const answer = await page.fetch(`${host}/public/forms/destination-vendors`);
  expect(answer.cacheControl).toBe('public, max-age=300');
  const etag = (await fetch(`${host}/public/forms/destination-vendors`)).headers.get('etag') ?? '';
  const again = await fetch(`${host}/public/forms/destination-vendors`, {
    headers: { 'If-None-Match': etag },
  });
  expect(again.status).toBe(304);
});
