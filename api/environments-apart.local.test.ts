import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { submitTransfer } from '../db/submit-transfer.ts';
import { environments, type Environment } from '../domain/statuses.ts';
import type { Answer, TestApi } from '../test/harness/api.ts';
import { createTestApi, textAt } from '../test/harness/api.ts';
import { makeVendor, tester } from '../test/harness/metadata.ts';
import { listOperations, type Operation } from '../test/harness/request-arbitrary.ts';
import { createApp } from './app.ts';
import { describeApi } from './openapi.ts';

// Every route of our own document that takes an id, with the id of an object of the other environment; every
// list; and every id that a body can name. A new route or a new kind of object fails here until it is named.

let api: TestApi;
let operations: Operation[];
let worlds: Readonly<Record<Environment, World>>;

/** The id of an object of each kind, by the parameter that takes it, or the path where that is only `id`. */
type World = Readonly<Record<string, string>>;

const unknownId = '00000000-0000-7000-8000-000000000000';
const other = (environment: Environment) => (environment === 'prod' ? 'staging' : 'prod');

beforeAll(async () => {
  api = await createTestApi();
  api.workflows.report = ({ kind }) =>
    kind === 'model'
      ? { kind: 'model', errors: [], warnings: [] }
      : { kind: 'connection', findings: [], error: null };
  operations = listOperations(describeApi(createApp(api.deps), api.deps)).filter(
    ({ security }) => JSON.stringify(security) !== '[]',
  );
  worlds = { staging: await makeWorld('staging'), prod: await makeWorld('prod') };
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

async function makeWorld(environment: Environment): Promise<World> {
  const { db } = api.metadata;
  const call = (method: string, path: string, body?: object) =>
    api.call(method, path, { key: api.keys[environment], ...(body && { body }) });
  const vendor = await makeVendor(db, environment);
  const destinationId = vendor.destination.id;
  const request = { environment, destinationId, trigger: 'manual', actor: tester } as const;
  const { transferId } = await submitTransfer(db, request);
  const made = async (path: string, body: Record<string, object>) => {
    const answer = await call('POST', path, body);
    return textAt(answer, `data.${Object.keys(body)[0]}.id`);
  };
  const recipient_id = vendor.recipient.id;
  const login = { recipient_id, source_id: vendor.source.id, username: 'reader', password: 'hush' };
  const endpoint = { name: 'vault', url: `https://${environment}.example.com/vault` };
  const webhook = {
    vendor: 'generic_post',
    name: `hook of ${environment}`,
    url: `https://${environment}.example.com/hook`,
    events: ['transfer.error'],
  };
  const webhookId = await made('/webhooks', { webhook });
  const delivered = await call('POST', `/webhooks/${webhookId}/test`);
  const checks = `/destinations/${destinationId}/data-integrity`;
  const logs = await call('GET', '/logs');
  return {
    source_id: vendor.source.id,
    model_id: vendor.model.id,
    product_name: vendor.product.name,
    recipient_id,
    destination_id: destinationId,
    transfer_id: transferId,
    webhook_id: webhookId,
    delivery_id: textAt(delivered, 'data.delivery_id'),
    job_id: textAt(await call('POST', checks, {}), 'data.job.id'),
    log_id: textAt(logs, 'data.event_logs.0.id'),
    magic_link_id: await made('/magic-links', { magic_link: { recipient_id, name: 'By link' } }),
    '/sensitive-trace-endpoints/{id}': await made('/sensitive-trace-endpoints', {
      sensitive_trace_endpoint: endpoint,
    }),
    '/recipient-source-credentials/{id}': await made('/recipient-source-credentials', {
      recipient_source_credential: login,
    }),
  };
}

function idFor(world: World, { path }: Operation, name: string): string {
  const id = world[name === 'id' ? path : name];
  if (id === undefined) throw new Error(`${path}: make an object for {${name}} in this test.`);
  return id;
}

function fill(operation: Operation, idOf: (name: string) => string): string {
  return operation.path.replaceAll(/\{([^}]+)\}/g, (_, name: string) => idOf(name));
}

function wrapperOf(operation: Operation): string | undefined {
  return Object.keys((operation.body?.['properties'] ?? {}) as object)[0];
}

/** A body that would be taken: nothing is changed by it, or what the route needs at least. */
function bodyOf(operation: Operation): object | undefined {
  if (operation.body === undefined) return undefined;
  const wrapper = wrapperOf(operation);
  return wrapper === undefined ? {} : { [wrapper]: {} };
}

async function ask(operation: Operation, environment: Environment, path: string): Promise<Answer> {
  const body = bodyOf(operation);
  return await api.call(operation.method, path, {
    key: api.keys[environment],
    ...(body !== undefined && { body }),
  });
}

/** All that stands in our tables and that the engine was told. When a key was last used does not count. */
async function everything(): Promise<unknown> {
  const { db } = api.metadata;
  const tables = await db.execute<{ name: string }>(/*sql*/ sql`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_name <> 'api_keys' order by 1`);
  const rows = tables.rows.map(async ({ name }) => {
    const found = await db.execute<{ row: object }>(/*sql*/ sql`
      select to_jsonb(t) as row from ${sql.identifier(name)} t order by to_jsonb(t)::text`);
    return [name, found.rows] as const;
  });
  return { tables: Object.fromEntries(await Promise.all(rows)), told: [...api.workflows.calls] };
}

const byName = (operation: Operation) => operation.method === 'PUT';
const withId = () => operations.filter(({ path }) => path.includes('{'));

describe.each(environments)('a key of %s', (environment) => {
  test('gets for an id of the other environment what it gets for none, and changes nothing', async () => {
    const before = await everything();
    const foreign = worlds[other(environment)];
    const asked = withId().filter((operation) => !byName(operation));
    expect(asked.length).toBeGreaterThan(40);
    for (const operation of asked) {
      const label = `${operation.method} ${operation.path}`;
      const idOf = (name: string) => idFor(foreign, operation, name);
      const answer = await ask(operation, environment, fill(operation, idOf));
      const nobody = await ask(
        operation,
        environment,
        fill(operation, () => unknownId),
      );
      expect(answer.status, `${label}: ${answer.text}`).toBe(404);
      expect(withoutIds(answer, foreign), label).toEqual(withoutIds(nobody, foreign));
    }
    expect(await everything()).toEqual(before);
  });

  test('finds none through an object of its own', async () => {
    const [own, foreign] = [worlds[environment], worlds[other(environment)]];
    const before = await everything();
    for (const operation of withId().filter(({ path }) => path.split('{').length > 2)) {
      const names = [...operation.path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1] ?? '');
      const path = fill(operation, (name) =>
        idFor(name === names.at(-1) ? foreign : own, operation, name),
      );
      expect((await ask(operation, environment, path)).status, path).toBe(404);
    }
    expect(await everything()).toEqual(before);
  });

  test('reads nothing of the other environment in any answer', async () => {
    const [own, foreign] = [worlds[environment], worlds[other(environment)]];
    const reads = operations.filter(({ method }) => method === 'GET');
    expect(reads.length).toBeGreaterThan(25);
    for (const operation of reads) {
      const path = fill(operation, (name) => idFor(own, operation, name));
      const query = path.endsWith('-for-recipient') ? `?recipient_id=${own['recipient_id']}` : '';
      const answer = await ask(operation, environment, `${path}${query}`);
      expect(answer.status, `${path}: ${answer.text}`).toBe(200);
      expect(namesIn(answer, foreign), path).toEqual([]);
    }
  });

  test('filters by an id of the other environment and finds nothing', async () => {
    const foreign = worlds[other(environment)];
    const asked = operations.flatMap((operation) =>
      operation.method !== 'GET' || operation.path.includes('{')
        ? []
        : operation.parameters
            .filter(({ name }) => foreign[name] !== undefined)
            .map(({ name }) => ({ operation, query: `${name}=${foreign[name]}` })),
    );
    expect(asked.length).toBeGreaterThan(5);
    for (const { operation, query } of asked) {
      const answer = await ask(operation, environment, `${operation.path}?${query}`);
      const isEmpty = answer.status === 404 || itemsOf(answer)?.length === 0;
      expect(isEmpty, `${operation.path}?${query}: ${answer.text}`).toBe(true);
    }
  });

  test('names no object of the other environment in what it writes', async () => {
    const [own, foreign] = [worlds[environment], worlds[other(environment)]];
    const before = await everything();
    const { recipient_id, source_id, product_name, destination_id } = foreign;
    const block = { host: 'h', database: 'd', schema: 's', auth_method: 'password_auth' };
    const postgres = { ...block, password_auth: { username: 'u', password: 'p' } };
    const destination = { vendor: 'postgres', name: 'd', postgres };
    const column = { name_in_source: 'id', name_in_destination: 'id', data_type: 'bigint' };
    const model = {
      ...{ model_name: 'strange', source_table: 'public.t', organization_column: 'tenant' },
      columns: [
        { ...column, is_primary_key: true },
        {
          name_in_source: 'at',
          name_in_destination: 'at',
          data_type: 'timestamp',
          is_last_modified: true,
        },
      ],
    };
    const login = { username: 'u', password: 'p' };
    const writes: readonly (readonly [string, string, object])[] = [
      ['POST', '/destinations', { destination: { ...destination, recipient_id } }],
      ['POST', '/magic-links', { magic_link: { recipient_id, name: 'l' } }],
      [
        'POST',
        '/recipient-source-credentials',
        credential({ ...login, recipient_id, source_id: own['source_id'] }),
      ],
      [
        'POST',
        '/recipient-source-credentials',
        credential({ ...login, recipient_id: own['recipient_id'], source_id }),
      ],
      ['POST', '/models', { model: { ...model, source_id } }],
      ['PATCH', `/models/${own['model_id']}`, { model: { source_id } }],
      [
        'POST',
        '/actions/generate-scoped-auth-token',
        { application_origin: 'a.test', recipient_id },
      ],
      [
        'POST',
        '/actions/generate-scoped-auth-token',
        { application_origin: 'a.test', destination: { id: destination_id } },
      ],
      [
        'POST',
        '/recipients',
        { recipient: { name: 'r', id_in_provider_system: 'r', products: [product_name] } },
      ],
    ];
    for (const [method, path, body] of writes) {
      const answer = await api.call(method, path, { key: api.keys[environment], body });
      expect([400, 404], `${method} ${path}: ${answer.text}`).toContain(answer.status);
    }
    expect(await everything()).toEqual(before);
  });
});

const credential = (login: object) => ({ recipient_source_credential: login });

test('a put by a name of the other environment makes an object of its own', async () => {
  const { staging, prod } = worlds;
  const before = await api.call('GET', `/products/${prod['product_name']}`);
  const answer = await api.call('PUT', `/products/${prod['product_name']}`, {
    key: api.keys.staging,
    body: { product: { models: [] } },
  });
  expect(answer.status, answer.text).toBe(200);
  expect(answer.text).not.toContain(textAt(before, 'data.product.id'));
  const after = await api.call('GET', `/products/${prod['product_name']}`);
  expect(after.body).toEqual(before.body);
  const names = [staging['product_name'], prod['product_name']];
  const listed = await api.call('GET', '/products', { key: api.keys.staging });
  expect(names.filter((name) => listed.text.includes(`"${name}"`))).toEqual(names);
});

test.each(environments)(
  'with its own ids a key of %s is answered by every route',
  async (environment) => {
    const own = worlds[environment];
    const order = ['GET', 'PATCH', 'POST', 'DELETE'];
    const asked = withId()
      .filter((operation) => !byName(operation))
      .toSorted((a, b) => order.indexOf(a.method) - order.indexOf(b.method));
    for (const operation of asked.filter(({ method }) => method !== 'DELETE')) {
      const answer = await ask(
        operation,
        environment,
        fill(operation, (name) => idFor(own, operation, name)),
      );
      // Not every action is possible in the state that its object is in; but it is found.
      expect([200, 409], `${operation.method} ${operation.path}: ${answer.text}`).toContain(
        answer.status,
      );
    }
  },
);

/** The answer without what stands for the id that was asked for. */
function withoutIds({ body }: Answer, world: World): unknown {
  const { request_id: _, ...rest } = body as Record<string, unknown>;
  const ids = [...Object.values(world), unknownId];
  return ids.reduce((text, id) => text.replaceAll(id, '…'), JSON.stringify(rest));
}

function itemsOf({ body }: Answer): unknown[] | undefined {
  const [items] = Object.values((body as { data: object }).data);
  return Array.isArray(items) ? items : undefined;
}

function namesIn({ text }: Answer, world: World): string[] {
  return Object.keys(world).filter((name) => text.includes(world[name] ?? ''));
}
