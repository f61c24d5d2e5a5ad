import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { submitTransfer } from '../db/submit-transfer.ts';
import type { Answer, TestApi } from '../test/harness/api.ts';
import { at, createTestApi, textAt } from '../test/harness/api.ts';
import {
  makeDestination,
  makeRecipient,
  makeVendor,
  tester,
  unique,
} from '../test/harness/metadata.ts';

// Small rules of the contract that belong to no noun alone, or to a noun with little else to test.
// docs/compatibility.md names the test of each.

let api: TestApi;
let own: Awaited<ReturnType<typeof makeVendor>>;

beforeAll(async () => {
  api = await createTestApi();
  api.workflows.report = { kind: 'connection', findings: [], error: null };
  own = await makeVendor(api.metadata.db);
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const block = {
  host: 'warehouse.example.com',
  auth_method: 'password_auth',
  password_auth: { username: 'loader', password: 'canary-of-a-rule' },
};

function destinationOf(changes: object = {}, postgres: object = {}) {
  return {
    name: 'Warehouse',
    vendor: 'postgres',
    recipient_id: own.recipient.id,
    postgres: { ...block, database: unique('d'), schema: 'shared', ...postgres },
    ...changes,
  };
}

async function create(destination: object): Promise<Answer> {
  const answer = await api.call('POST', '/destinations', { body: { destination } });
  expect(answer.status, answer.text).toBe(200);
  return answer;
}

describe('headers and bodies', () => {
  test.each(['X-API-KEY', 'X-Api-Key', 'x-api-key'])('a key counts as %s', async (name) => {
    const headers = { [name]: api.keys.staging };
    const answer = await api.call('GET', '/', { key: null, headers });
    expect(at(answer, 'data.environment')).toBe('staging');
  });

  test.each([
    ['POST', '/sources'],
    ['POST', '/destinations'],
    ['POST', '/test-destination'],
    ['POST', '/recipients'],
    ['POST', '/recipient-source-credentials'],
    ['POST', '/magic-links'],
    ['POST', '/webhooks'],
    ['POST', '/sensitive-trace-endpoints'],
  ])('%s %s of a bare object says that its wrapper is missing', async (method, path) => {
    const body = { ...destinationOf(), url: 'https://a.example.com', events: ['transfer.error'] };
    const answer = await api.call(method, path, { body });
    expect(answer.status, answer.text).toBe(400);
    expect(at(answer, 'errors')).toMatchObject([{ path: expect.stringMatching(/^[a-z_]+$/) }]);
  });

  test('fields that nobody knows are ignored at any depth', async () => {
    const odd = { products: ['nope'], type: 'destination', colour: 'red' };
    const made = await create(destinationOf(odd, { colour: 'red', secondary_public_key: 'x' }));
    expect(at(made, 'data.destination.products')).toEqual(own.recipient.products);
    expect(made.text).not.toContain('colour');
    expect(made.text).not.toContain('secondary_public_key');
  });

  test('blocks of other vendors beside the chosen one are ignored', async () => {
    const made = await create(destinationOf({ snowflake: { host: 'x' }, mysql: 17 }));
    expect(made.text).not.toContain('snowflake');
  });

  test.each([
    ['port', { port: null }, { port: 5432 }],
    ['port as text', { port: '6543' }, { port: 6543 }],
    ['timeout', { connection_timeout_in_seconds: null }, { connection_timeout_in_seconds: 10 }],
  ])('a %s of an official form is understood', async (_, given, stored) => {
    const made = await create(destinationOf({}, given));
    expect(at(made, 'data.destination.postgres')).toMatchObject(stored);
  });

  test('numbers come back as numbers, booleans as booleans, lists as lists', async () => {
    const made = await create(destinationOf({ frequency_minutes: '60' }));
    expect(at(made, 'data.destination')).toMatchObject({
      frequency_minutes: 60,
      enabled_models: ['*'],
      is_enabled: true,
      postgres: { port: 5432, use_ssh_tunnel: false, disable_ssl: false },
    });
  });
});

describe('answers', () => {
  test('ids are UUIDs of version 7, times are UTC with milliseconds', async () => {
    const made = await create(destinationOf());
    const uuid7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    expect(textAt(made, 'data.destination.id')).toMatch(uuid7);
    for (const field of ['created_at', 'updated_at']) {
      const time = textAt(made, `data.destination.${field}`);
      expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    }
  });

  test('an id in quotes counts without them', async () => {
    const answer = await api.call('GET', `/destinations/%22${own.destination.id}%22`);
    expect(at(answer, 'data.destination.id')).toBe(own.destination.id);
  });

  test('every success has status, data and message, and every list says whether there is more', async () => {
    const lists = ['/destinations', '/sources', '/models', '/products', '/recipients', '/logs'];
    const more = ['/transfers', '/webhooks', '/magic-links', '/machine-types'];
    for (const path of [
      ...lists,
      ...more,
      `/models-for-recipient?recipient_id=${own.recipient.id}`,
    ]) {
      const { body } = await api.call('GET', path);
      expect(body).toMatchObject({ status: 'success', message: expect.any(String) });
      const { has_next, next_url } = body as Record<string, unknown>;
      expect(has_next, path).toBeTypeOf('boolean');
      expect(next_url === undefined, path).toBe(has_next === false);
    }
  });

  test('a list has ten items unless told, the newest first, or the oldest where asked', async () => {
    const made: string[] = [];
    for (let count = 0; count < 11; count += 1) {
      made.push((await makeRecipient(api.metadata.db, { environment: 'staging' })).id);
    }
    const ids = async (query: string) => {
      const answer = await api.call('GET', `/recipients${query}`, { key: api.keys.staging });
      return (at(answer, 'data.recipients') as { id: string }[]).map(({ id }) => id);
    };
    expect(await ids('')).toEqual(made.toReversed().slice(0, 10));
    expect(await ids('?order=asc&page_size=2')).toEqual(made.slice(0, 2));
  });

  test('what was never set is null, and the last transfer is left out where there was none', async () => {
    const { id } = await makeDestination(api.metadata.db, own.recipient);
    const destination = at(await api.call('GET', `/destinations/${id}`), 'data.destination');
    expect(destination).toMatchObject({
      machine_type_id: null,
      last_successful_transfer_ended_at: null,
    });
    expect(destination).not.toHaveProperty('last_completed_transfer');
  });
});

describe('sensitive trace endpoints', () => {
  test('are stored, changed, listed and deleted; their key is never shown', async () => {
    const path = '/sensitive-trace-endpoints';
    const wrap = (fields: object) => ({ body: { sensitive_trace_endpoint: fields } });
    const url = 'https://vault.example.com/traces';
    const made = await api.call('POST', path, wrap({ name: 'Vault', url, api_key: 'canary-key' }));
    const id = textAt(made, 'data.sensitive_trace_endpoint.id');
    expect(at(made, 'data.sensitive_trace_endpoint')).toMatchObject({
      ...{ name: 'Vault', url, created_at: expect.any(String), updated_at: expect.any(String) },
    });
    const changed = await api.call('PATCH', `${path}/${id}`, wrap({ name: 'Safe' }));
    expect(at(changed, 'data.sensitive_trace_endpoint')).toMatchObject({ id, name: 'Safe', url });
    const listed = await api.call('GET', path);
    expect(at(listed, 'data.sensitive_trace_endpoints')).toMatchObject([{ id, name: 'Safe' }]);
    // They are no webhooks, although they are told like them.
    expect(at(await api.call('GET', '/webhooks'), 'data.webhooks')).toEqual([]);
    expect((await api.call('GET', `/webhooks/${id}`)).status).toBe(404);
    const gone = await api.call('DELETE', `${path}/${id}`);
    expect(gone.body).toMatchObject({ status: 'success', data: {} });
    expect((await api.call('GET', `${path}/${id}`)).status).toBe(404);
    const log = await api.call('GET', '/logs?event_type=SENSITIVE_TRACE_ENDPOINT_ADD');
    expect([made, changed, listed, log].map(({ text }) => text).join()).not.toContain('canary-key');
  });
});

describe('recipient source credentials', () => {
  test('are one for a recipient and source, change their login, and are found by either', async () => {
    const path = '/recipient-source-credentials';
    const wrap = (fields: object) => ({ body: { recipient_source_credential: fields } });
    const ids = { recipient_id: own.recipient.id, source_id: own.source.id };
    const login = { ...ids, username: 'reader', password: 'canary-word' };
    const made = await api.call('POST', path, wrap(login));
    const id = textAt(made, 'data.recipient_source_credential.id');
    expect((await api.call('POST', path, wrap(login))).status).toBe(409);
    const changed = await api.call('PATCH', `${path}/${id}`, wrap({ username: 'other' }));
    expect(at(changed, 'data.recipient_source_credential')).toMatchObject({
      ...ids,
      username: 'other',
    });
    for (const query of [`recipient_id=${ids.recipient_id}`, `source_id=${ids.source_id}`]) {
      const found = await api.call('GET', `${path}?${query}`);
      expect(at(found, 'data.recipient_source_credentials')).toMatchObject([{ id }]);
    }
    const none = await api.call('GET', `${path}?source_id=${id}`);
    expect(at(none, 'data.recipient_source_credentials')).toEqual([]);
    expect((await api.call('DELETE', `${path}/${id}`)).body).toMatchObject({ data: {} });
    expect(made.text + changed.text).not.toContain('canary-word');
  });
});

describe('the log', () => {
  test('knows every kind of event of the contract by what it is about', async () => {
    const key = api.keys.staging;
    const { source, product, recipient, destination } = await makeVendor(
      api.metadata.db,
      'staging',
    );
    const call = async (method: string, path: string, body?: object) => {
      const answer = await api.call(method, path, { key, ...(body && { body }) });
      expect(answer.status, `${method} ${path}: ${answer.text}`).toBe(200);
      return answer;
    };
    const endpoint = { name: 'n', url: 'https://a.example.com' };
    const login = {
      recipient_id: recipient.id,
      source_id: source.id,
      username: 'u',
      password: 'p',
    };
    const cycle = async (path: string, noun: string, fields: object) => {
      const id = textAt(await call('POST', path, { [noun]: fields }), `data.${noun}.id`);
      await call('PATCH', `${path}/${id}`, { [noun]: { name: 'Renamed', username: 'other' } });
      await call('DELETE', `${path}/${id}`);
    };
    await cycle('/webhooks', 'webhook', {
      ...endpoint,
      vendor: 'generic_post',
      events: ['transfer.error'],
    });
    await cycle('/sensitive-trace-endpoints', 'sensitive_trace_endpoint', endpoint);
    await cycle('/recipient-source-credentials', 'recipient_source_credential', login);
    const link = await call('POST', '/magic-links', {
      magic_link: { recipient_id: recipient.id, name: 'l' },
    });
    await call('DELETE', `/magic-links/${textAt(link, 'data.magic_link.id')}`);
    const started = await call('POST', `/destinations/${destination.id}/transfer`, {});
    await call('POST', `/transfers/${textAt(started, 'data.transfer_id')}/cancel`);
    await call('POST', '/actions/pause-all-destinations');
    await call('POST', '/actions/enable-all-destinations');
    const path = `/models/${String(at(await call('GET', '/models'), 'data.models.0.model_name'))}`;
    await call('PATCH', `${path}?skip_model_validation=true`, { model: { description: 'new' } });
    await call('PATCH', `/products/${product.name}`, { product: { models: [] } });
    await call('PATCH', `/sources/${source.id}`, { source: { name: unique('renamed') } });
    await call('PATCH', `/destinations/${destination.id}`, { destination: { name: 'Renamed' } });
    await call('DELETE', `/destinations/${destination.id}`);
    await call('PATCH', `/recipients/${recipient.id}`, { recipient: { name: 'x', products: [] } });
    await call('DELETE', `/recipients/${recipient.id}`);
    await call('DELETE', `/products/${product.name}`);
    await call('DELETE', path);
    await call('DELETE', `/sources/${source.id}`);
    const log = await call('GET', '/logs?page_size=100');
    const entries = at(log, 'data.event_logs') as { event_type: string }[];
    const written = ['ADD', 'UPDATE', 'DELETE'];
    const nouns = ['DESTINATION', 'SOURCE', 'RECIPIENT', 'MODEL', 'PRODUCT', 'WEBHOOK'];
    const more = ['RECIPIENT_SOURCE_CREDENTIAL', 'SENSITIVE_TRACE_ENDPOINT'];
    const wanted = [...nouns, ...more].flatMap((noun) => written.map((end) => `${noun}_${end}`));
    expect(new Set(entries.map((entry) => entry.event_type))).toEqual(
      new Set([
        ...wanted,
        ...[
          'DESTINATION_PAUSE_ALL',
          'DESTINATION_ENABLE_ALL',
          'MAGIC_LINK_CREATE',
          'MAGIC_LINK_DELETE',
        ],
        ...['TRANSFER_TRIGGER', 'TRANSFER_CANCELED', 'API_KEY_ADD'],
      ]),
    );
  });

  test('has no entry for a transfer that the schedule started', async () => {
    const of = await makeVendor(api.metadata.db);
    const request = { environment: 'prod', destinationId: of.destination.id } as const;
    await submitTransfer(api.metadata.db, { ...request, trigger: 'schedule', actor: tester });
    const log = await api.call('GET', '/logs?event_type=TRANSFER_TRIGGER&page_size=100');
    expect(log.text).not.toContain(of.destination.id);
  });
});

describe('tokens', () => {
  test('are made as often as asked, each good by itself', async () => {
    const mint = async () => {
      const body = { application_origin: 'https://a.example.com', recipient_id: own.recipient.id };
      const made = await api.call('POST', '/actions/generate-scoped-auth-token', { body });
      return textAt(made, 'data.scoped_token');
    };
    const tokens = [await mint(), await mint(), await mint()];
    expect(new Set(tokens).size).toBe(3);
    for (const token of tokens) {
      const headers = { Authorization: `Bearer ${token}`, 'X-APP-ID': 'a.example.com' };
      const answer = await api.call('GET', '/export/destinations-for-recipient', {
        key: null,
        headers,
      });
      expect(answer.status).toBe(200);
    }
  });

  test.each(['', undefined])(
    'an own recipient_id of %j means the one of the token',
    async (recipient_id) => {
      const destination = destinationOf({ recipient_id });
      const body = {
        ...{ application_origin: 'a.example.com', recipient_id: own.recipient.id },
        destination,
      };
      const made = await api.call('POST', '/actions/generate-scoped-auth-token', { body });
      const headers = {
        Authorization: `Bearer ${textAt(made, 'data.scoped_token')}`,
        'X-APP-ID': 'a.example.com',
      };
      const answer = await api.call('POST', '/destinations', {
        key: null,
        headers,
        body: { destination },
      });
      expect(at(answer, 'data.destination.recipient_id')).toBe(own.recipient.id);
    },
  );
});
