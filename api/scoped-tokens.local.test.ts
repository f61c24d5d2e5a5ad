import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiKey, revokeApiKey } from '../db/api-keys.ts';
import type { DestinationRecord } from '../db/destinations.ts';
import type { RecipientRecord } from '../db/recipients.ts';
import { purgeScopedTokens } from '../db/scoped-tokens.ts';
import { scopedTokens } from '../db/tokens-schema.ts';
import type { Answer, TestApi } from '../test/harness/api.ts';
import { at, createTestApi, textAt } from '../test/harness/api.ts';
import { makeDestination, makeRecipient, makeVendor } from '../test/harness/metadata.ts';

const origin = 'https://app.example.com';
const appId = 'app.example.com';
let api: TestApi;
let own: Awaited<ReturnType<typeof makeVendor>>;
let other: { recipient: RecipientRecord; destination: DestinationRecord };

beforeAll(async () => {
  api = await createTestApi();
  api.workflows.report = { kind: 'connection', findings: [], error: null };
  own = await makeVendor(api.metadata.db);
  const recipient = await makeRecipient(api.metadata.db);
  other = { recipient, destination: await makeDestination(api.metadata.db, recipient) };
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

async function mint(destination?: object, recipient = own.recipient.id): Promise<string> {
  const body = { application_origin: origin, recipient_id: recipient, destination };
  const answer = await api.call('POST', '/actions/generate-scoped-auth-token', { body });
  return textAt(answer, 'data.scoped_token');
}

interface Call {
  readonly token: string;
  readonly body?: unknown;
  readonly appId?: string;
}

async function call(method: string, path: string, { token, body, appId: id = appId }: Call) {
  const headers = { Authorization: `Bearer ${token}`, 'X-APP-ID': id };
  return await api.call(method, path, { key: null, headers, body });
}

/** As the official form sends it. */
function wholeDestination(changes: object = {}) {
  return {
    vendor: 'postgres',
    name: 'Warehouse',
    recipient_id: '',
    enabled_models: ['*'],
    frequency_minutes: '60',
    is_enabled: true,
    postgres: {
      host: 'warehouse.example.com',
      port: 5432,
      database: `d${Math.random()}`,
      schema: 'shared',
      auth_method: 'password_auth',
      password_auth: { username: 'loader', password: 'canary-of-a-token' },
    },
    ...changes,
  };
}

describe('a token made with nothing to write', () => {
  test('reads the objects of its recipient and no others', async () => {
    const token = await mint();
    const lists = [
      ['/destinations-for-recipient', 'destinations', own.destination.id],
      ['/export/models-for-recipient', 'models', own.model.id],
      ['/export/models', 'models', own.model.id],
      ['/export/products', 'products', own.product.id],
    ] as const;
    for (const [path, key, id] of lists) {
      const answer = await call('GET', path, { token });
      expect(answer.status, answer.text).toBe(200);
      const ids = (at(answer, `data.${key}`) as { id: string }[]).map((one) => one.id);
      expect(ids, path).toEqual([id]);
    }
    const paths = ['', '/transfers'].map((end) => `/destinations/${own.destination.id}${end}`);
    for (const path of paths) expect((await call('GET', path, { token })).status).toBe(200);
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const body = method === 'PATCH' ? { destination: {} } : undefined;
      const answer = await call(method, `/destinations/${other.destination.id}`, { token, body });
      expect(answer.status, method).toBe(404);
    }
    const foreign = `/destinations/${other.destination.id}/transfers`;
    expect((await call('GET', foreign, { token })).status).toBe(404);
  });

  test('sees of a model what lands, and nothing of where it comes from', async () => {
    const answer = await call('GET', '/models-for-recipient', { token: await mint() });
    const [model] = at(answer, 'data.models') as Record<string, unknown>[];
    expect(model).toMatchObject({
      model_name: own.model.name,
      source_table: '',
      source_schema: '',
      source_name: '',
      organization_column: '',
    });
    // A field that models get later has to be added here, on purpose.
    expect(Object.keys(model ?? {}).toSorted()).toEqual([
      'columns',
      'created_at',
      'description',
      'destination_table_name',
      'id',
      'is_append_only',
      'max_transfer_time_window_seconds',
      'min_start_time_epoch',
      'model_name',
      'organization_column',
      'revision_id',
      'skip_transfer_source_validation',
      'source_name',
      'source_schema',
      'source_table',
      'updated_at',
    ]);
    const columns = model?.['columns'] as { name_in_source: string; name_in_destination: string }[];
    for (const column of columns) {
      expect(column.name_in_source).toBe(column.name_in_destination);
      expect(Object.keys(column)).toHaveLength(6);
    }
  });

  test('writes nothing', async () => {
    const token = await mint({});
    const destination = wholeDestination();
    const writes = [
      ['POST', '/destinations'],
      ['POST', '/test-destination'],
      ['PATCH', `/destinations/${own.destination.id}`],
      ['POST', `/destinations/${own.destination.id}/test-connection`],
      ['DELETE', `/destinations/${own.destination.id}`],
    ] as const;
    for (const [method, path] of writes) {
      const body = method === 'DELETE' ? undefined : { destination };
      const answer = await call(method, path, { token, body });
      expect(answer.status, `${method} ${path}`).toBe(403);
      expect(answer.text).not.toContain('canary-of-a-token');
    }
  });
});

describe('a token made with a whole new destination', () => {
  test('tests and creates exactly that one, for its own recipient', async () => {
    const destination = wholeDestination();
    const token = await mint(destination);
    const tested = await call('POST', '/test-destination', { token, body: { destination } });
    expect(at(tested, 'data.status')).toBe('success');
    // Numbers may come as text in one place and not in the other.
    const sent = { ...destination, frequency_minutes: 60 };
    const created = await call('POST', '/destinations', { token, body: { destination: sent } });
    expect(created.status, created.text).toBe(200);
    expect(textAt(created, 'data.destination.recipient_id')).toBe(own.recipient.id);
    const log = await api.call('GET', '/logs?event_type=DESTINATION_ADD');
    const [newest] = at(log, 'data.event_logs') as object[];
    expect(newest).toMatchObject({ actor: { type: 'recipient', actor_id: own.recipient.id } });
  });

  test.each([
    [
      'another host',
      { postgres: { ...wholeDestination().postgres, host: 'evil.example.com' } },
      'postgres.host',
    ],
    ['a field more', { max_concurrent_transfers: 5 }, 'max_concurrent_transfers'],
    ['another recipient', { recipient_id: 'other' }, 'recipient_id'],
    ['the tenant of another', { id_in_provider_system: 'another' }, 'id_in_provider_system'],
  ])('refuses %s and names the field', async (_, changes, field) => {
    const destination = wholeDestination();
    const token = await mint(destination);
    const wanted =
      'recipient_id' in changes ? { recipient_id: other.recipient.id } : (changes as object);
    const body = { destination: { ...destination, ...wanted } };
    const answer = await call('POST', '/destinations', { token, body });
    expect(answer.status).toBe(403);
    expect(textAt(answer, 'message')).toContain(`destination.${field}`);
  });
});

describe('a token made with changed fields', () => {
  test('changes and tests those on a destination of its recipient', async () => {
    const change = { name: 'Renamed', postgres: { schema: 'elsewhere' } };
    const token = await mint(change);
    const path = `/export/destinations/${own.destination.id}`;
    const tested = await call('POST', `${path}/test-connection`, {
      token,
      body: { destination: change },
    });
    expect(at(tested, 'data.status'), tested.text).toBe('success');
    const changed = await call('PATCH', path, { token, body: { destination: change } });
    expect(at(changed, 'data.destination'), changed.text).toMatchObject({
      name: 'Renamed',
      postgres: { schema: 'elsewhere' },
    });
    const more = { destination: { ...change, is_enabled: false } };
    expect((await call('PATCH', path, { token, body: more })).status).toBe(403);
  });

  test('moves no stored secrets to another host, although the token names it', async () => {
    const probes = api.workflows.probes.length;
    const change = { postgres: { host: 'evil.example.com' } };
    const token = await mint(change);
    const path = `/destinations/${own.destination.id}`;
    for (const [method, end] of [
      ['PATCH', ''],
      ['POST', '/test-connection'],
    ] as const) {
      const answer = await call(method, `${path}${end}`, { token, body: { destination: change } });
      expect(answer.status).toBe(403);
      expect(textAt(answer, 'message')).toContain('destination.postgres.host');
    }
    expect(api.workflows.probes).toHaveLength(probes);
  });
});

describe('what is empty in a change', () => {
  test('resets a field, so a token has to be made for it', async () => {
    await api.call('PATCH', `/destinations/${own.destination.id}`, {
      body: { destination: { is_enabled: false } },
    });
    const path = `/destinations/${own.destination.id}`;
    const resets = [
      { is_enabled: null },
      { enabled_models: null },
      { machine_type_id: '' },
      { postgres: { schema: null } },
      { postgres: { ssh_tunnel: null } },
    ];
    const token = await mint({});
    for (const destination of resets) {
      const answer = await call('PATCH', path, { token, body: { destination } });
      expect(answer.status, JSON.stringify(destination)).toBe(403);
    }
    const granted = await mint({ is_enabled: null });
    const body = { destination: { is_enabled: null } };
    const answer = await call('PATCH', path, { token: granted, body });
    expect(at(answer, 'data.destination.is_enabled'), answer.text).toBe(true);
  });

  test('takes no host away, although the token names it', async () => {
    const path = `/destinations/${own.destination.id}`;
    for (const host of [null, '']) {
      const destination = { postgres: { host } };
      const token = await mint(destination);
      const answer = await call('PATCH', path, { token, body: { destination } });
      expect(answer.status).toBe(403);
      expect(textAt(answer, 'message')).toContain('destination.postgres.host');
    }
  });
});

describe('a token made with a whole stored destination', () => {
  test('deletes that one, and may change it with equal fields', async () => {
    const mine = await makeDestination(api.metadata.db, own.recipient);
    const read = await api.call('GET', `/destinations/${mine.id}`);
    const token = await mint(at(read, 'data.destination') as object);
    const same = { destination: { name: mine.name } };
    const path = `/destinations/${mine.id}`;
    expect((await call('PATCH', path, { token, body: same })).status).toBe(200);
    const elsewhere = `/destinations/${own.destination.id}`;
    expect((await call('PATCH', elsewhere, { token, body: same })).status).toBe(403);
    expect((await call('DELETE', elsewhere, { token })).status).toBe(403);
    const deleted = await call('DELETE', path, { token });
    expect(deleted.body).toMatchObject({ status: 'success', data: {} });
    expect((await call('DELETE', path, { token })).status).toBe(404);
  });

  test('deletes nothing of another recipient, although it was made with it', async () => {
    const token = await mint({ id: other.destination.id });
    const answer = await call('DELETE', `/destinations/${other.destination.id}`, { token });
    expect(answer.status).toBe(404);
  });
});

describe('minting', () => {
  const path = '/actions/generate-scoped-auth-token';

  test('finds the recipient through the destination where it is not named', async () => {
    for (const destination of [
      { id: own.destination.id },
      { recipient_id: own.recipient.id },
      { id_in_provider_system: own.recipient.idInProviderSystem },
    ]) {
      const body = { application_origin: origin, destination };
      const token = textAt(await api.call('POST', path, { body }), 'data.scoped_token');
      const answer = await call('GET', '/destinations-for-recipient', { token });
      expect(at(answer, 'data.destinations')).not.toEqual([]);
    }
  });

  test('refuses what is no origin, no recipient, or an unknown one', async () => {
    const refused = async (body: object): Promise<Answer> => api.call('POST', path, { body });
    const { id } = own.recipient;
    expect((await refused({ recipient_id: id })).status).toBe(400);
    expect((await refused({ application_origin: 'http://', recipient_id: id })).status).toBe(400);
    expect((await refused({ application_origin: origin })).status).toBe(400);
    expect((await refused({ application_origin: origin, recipient_id: own.model.id })).status).toBe(
      404,
    );
    const staging = await api.call('POST', path, {
      key: api.keys.staging,
      body: { application_origin: origin, recipient_id: id },
    });
    expect(staging.status).toBe(404);
  });

  test('refuses an object of more than 1000 fields', async () => {
    const fields = Array.from({ length: 1001 }, (_, index) => [`field${index}`, index]);
    const destination = Object.fromEntries(fields) as object;
    const body = { application_origin: origin, recipient_id: own.recipient.id, destination };
    expect((await api.call('POST', path, { body })).status).toBe(400);
  });

  test('keeps neither the token nor any value of the destination', async () => {
    const token = await mint(wholeDestination());
    const rows = await api.metadata.db.select().from(scopedTokens);
    const text = JSON.stringify(rows);
    expect(text).not.toContain(token);
    expect(text).not.toContain('canary-of-a-token');
    expect(text).not.toContain('warehouse.example.com');
    expect(api.logged.join()).not.toContain(token);
  });
});

describe('the page of a token', () => {
  test.each([appId, 'APP.example.com', 'https://app.example.com', 'https://app.example.com:443'])(
    'is known when it says %s',
    async (id) => {
      const answer = await call('GET', '/export/models', { token: await mint(), appId: id });
      expect(answer.status).toBe(200);
    },
  );

  test.each(['evil.example.com', 'app.example.com:8080', 'app.example.com.evil.com'])(
    'is refused when it says %s',
    async (id) => {
      const answer = await call('GET', '/export/models', { token: await mint(), appId: id });
      expect(answer.status).toBe(403);
    },
  );
});

test('a token ends with the key that made it', async () => {
  const { db } = api.metadata;
  const { id, key } = await createApiKey(db, { environment: 'prod', name: 'leaked' });
  const body = { application_origin: origin, recipient_id: own.recipient.id };
  const made = await api.call('POST', '/actions/generate-scoped-auth-token', { key, body });
  const token = textAt(made, 'data.scoped_token');
  expect((await call('GET', '/export/models', { token })).status).toBe(200);
  await revokeApiKey(db, { environment: 'prod', id });
  expect((await call('GET', '/export/models', { token })).status).toBe(401);
});

test('a token ends after an hour, and with its recipient', async () => {
  const recipient = await makeRecipient(api.metadata.db);
  const token = await mint({}, recipient.id);
  expect((await call('GET', '/export/models', { token })).status).toBe(200);
  await api.call('DELETE', `/recipients/${recipient.id}`);
  expect((await call('GET', '/export/models', { token })).status).toBe(401);

  const late = await mint();
  const { db } = api.metadata;
  const [{ seconds } = { seconds: 0 }] = await db
    .select({ seconds: sql<number>`extract(epoch from max(expires_at) - now())::float` })
    .from(scopedTokens);
  expect(seconds).toBeGreaterThan(3590);
  expect(seconds).toBeLessThanOrEqual(3600);
  await db.update(scopedTokens).set({ expiresAt: sql`now()` });
  expect((await call('GET', '/export/models', { token: late })).status).toBe(401);
  await purgeScopedTokens(db);
  expect(await db.select().from(scopedTokens)).toEqual([]);
});
