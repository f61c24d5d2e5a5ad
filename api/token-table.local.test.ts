import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DestinationRecord } from '../db/destinations.ts';
import type { RecipientRecord } from '../db/recipients.ts';
import { destinations } from '../db/schema.ts';
import { submitTransfer } from '../db/submit-transfer.ts';
import { scopedTokens } from '../db/tokens-schema.ts';
import type { TestApi } from '../test/harness/api.ts';
import { at, createTestApi, textAt } from '../test/harness/api.ts';
import { makeDestination, makeVendor, tester } from '../test/harness/metadata.ts';
import { listOperations } from '../test/harness/request-arbitrary.ts';
import { createApp } from './app.ts';
import { unclassified } from './auth.ts';
import { describeApi } from './openapi.ts';

// Every route that a scoped token reaches × every credential × objects of its own and of another recipient.

const page = 'app.example.com';
const credentials = [
  'none',
  'key',
  'read',
  'whole',
  'change',
  'stored',
  'expired',
  'elsewhere',
  'link',
] as const;
type Credential = (typeof credentials)[number];

let api: TestApi;
let own: Party;
let foreign: Party;

interface Party {
  readonly recipient: RecipientRecord;
  readonly destination: DestinationRecord;
  readonly transferId: string;
}

beforeAll(async () => {
  api = await createTestApi();
  api.workflows.report = { kind: 'connection', findings: [], error: null };
  own = await makeParty();
  foreign = await makeParty();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

async function makeParty(): Promise<Party> {
  const { db } = api.metadata;
  const { environment, recipient, destination } = await makeVendor(db);
  const { transferId } = await submitTransfer(db, {
    environment,
    destinationId: destination.id,
    trigger: 'manual',
    actor: tester,
  });
  return { recipient, destination, transferId };
}

const newDestination = (recipientId: string) => ({
  vendor: 'postgres',
  name: 'Warehouse',
  recipient_id: recipientId,
  enabled_models: ['*'],
  frequency_minutes: '60',
  is_enabled: true,
  postgres: {
    host: 'warehouse.example.com',
    database: `d${Math.random()}`,
    schema: 'shared',
    auth_method: 'password_auth',
    password_auth: { username: 'loader', password: 'canary-of-the-table' },
  },
});

interface Cell {
  readonly path: string;
  readonly body?: { readonly destination: object };
}

/** What is called, for the objects of one party; fresh for each cell, since some are deleted. */
const calls = {
  'GET /destinations-for-recipient': ({ recipient }: Party): Cell => ({
    path: `/destinations-for-recipient?recipient_id=${recipient.id}`,
  }),
  'GET /models-for-recipient': ({ recipient }: Party): Cell => ({
    path: `/models-for-recipient?recipient_id=${recipient.id}`,
  }),
  'GET /destinations/{id}': ({ destination }: Party): Cell => ({
    path: `/destinations/${destination.id}`,
  }),
  'GET /destinations/{id}/transfers': ({ destination }: Party): Cell => ({
    path: `/destinations/${destination.id}/transfers`,
  }),
  'GET /transfers/{id}': ({ transferId }: Party): Cell => ({ path: `/transfers/${transferId}` }),
  'POST /destinations': ({ recipient }: Party): Cell => ({
    path: '/destinations',
    body: { destination: newDestination(recipient.id) },
  }),
  'POST /test-destination': ({ recipient }: Party): Cell => ({
    path: '/test-destination',
    body: { destination: newDestination(recipient.id) },
  }),
  'PATCH /destinations/{id}': ({ destination }: Party): Cell => ({
    path: `/destinations/${destination.id}`,
    body: { destination: { name: destination.name } },
  }),
  'POST /destinations/{id}/test-connection': ({ destination }: Party): Cell => ({
    path: `/destinations/${destination.id}/test-connection`,
    body: { destination: { name: destination.name } },
  }),
  'DELETE /destinations/{id}': ({ destination }: Party): Cell => ({
    path: `/destinations/${destination.id}`,
  }),
};
type Route = keyof typeof calls;

type Row = readonly [own: readonly number[], foreign: readonly number[]];
const reads: Row = [
  [401, 200, 200, 200, 200, 200, 401, 403, 401],
  [401, 200, 404, 404, 404, 404, 401, 403, 401],
];
const lists: Row = [
  [401, 200, 200, 200, 200, 200, 401, 403, 401],
  [401, 200, 403, 403, 403, 403, 401, 403, 401],
];
const creates: Row = [
  [401, 200, 403, 200, 403, 403, 401, 403, 401],
  [401, 200, 403, 403, 403, 403, 401, 403, 401],
];
const changes: Row = [
  [401, 200, 403, 403, 200, 200, 401, 403, 401],
  [401, 200, 404, 404, 404, 404, 401, 403, 401],
];
const deletes: Row = [
  [401, 200, 403, 403, 403, 200, 401, 403, 401],
  [401, 200, 404, 404, 404, 404, 401, 403, 401],
];

/** The status for each of `credentials`, in their order. */
const table: Readonly<Record<Route, Row>> = {
  'GET /destinations-for-recipient': lists,
  'GET /models-for-recipient': lists,
  'GET /destinations/{id}': reads,
  'GET /destinations/{id}/transfers': reads,
  'GET /transfers/{id}': reads,
  'POST /destinations': creates,
  'POST /test-destination': creates,
  'PATCH /destinations/{id}': changes,
  'POST /destinations/{id}/test-connection': changes,
  'DELETE /destinations/{id}': deletes,
};

async function mint(destination: object): Promise<string> {
  const answer = await api.call('POST', '/actions/generate-scoped-auth-token', {
    body: { application_origin: page, recipient_id: own.recipient.id, destination },
  });
  return textAt(answer, 'data.scoped_token');
}

/** A token as the page of our own recipient would get it for this call, or another credential. */
async function headersOf(
  credential: Credential,
  { party, body }: { party: Party; body: Cell['body'] },
): Promise<Record<string, string>> {
  if (credential === 'none') return {};
  if (credential === 'key') return { 'X-API-KEY': api.keys.prod };
  if (credential === 'link') {
    const magic_link = { recipient_id: own.recipient.id, name: 'By link' };
    const made = await api.call('POST', '/magic-links', { body: { magic_link } });
    const token = textAt(made, 'data.magic_link.link').split('/').at(-1);
    return { Authorization: `Bearer ${token}`, 'X-APP-ID': page };
  }
  const whole = body !== undefined && 'vendor' in body.destination;
  const read = await api.call('GET', `/destinations/${party.destination.id}`);
  const wanted = {
    read: {},
    whole: whole ? body.destination : newDestination(own.recipient.id),
    change: whole ? { name: 'Warehouse' } : (body?.destination ?? { name: 'other' }),
    stored: at(read, 'data.destination') as object,
    expired: body?.destination ?? {},
    elsewhere: body?.destination ?? {},
  }[credential];
  // Made for our recipient, whatever the page says about whose the object is.
  const token = await mint(wanted);
  if (credential === 'expired') {
    await api.metadata.db.update(scopedTokens).set({ expiresAt: sql`now()` });
  }
  const appId = credential === 'elsewhere' ? 'evil.example.com' : page;
  return { Authorization: `Bearer ${token}`, 'X-APP-ID': appId };
}

async function stored(): Promise<unknown> {
  return await api.metadata.db.select().from(destinations).orderBy(destinations.id);
}

describe.each(Object.keys(table) as Route[])('%s', (route) => {
  test.each(
    (['own', 'foreign'] as const).flatMap((owner) =>
      credentials.map((credential, index) => ({
        owner,
        credential,
        status: table[route][owner === 'own' ? 0 : 1][index],
      })),
    ),
  )('answers $status to $credential for $owner objects', async ({ owner, credential, status }) => {
    const { transferId, recipient } = owner === 'own' ? own : foreign;
    const destination = await makeDestination(api.metadata.db, recipient);
    const party = { transferId, recipient, destination };
    const { path, body } = calls[route](party);
    const headers = await headersOf(credential, { party, body });
    const before = await stored();
    const [method = ''] = route.split(' ');
    const answer = await api.call(method, path, { key: null, headers, ...(body && { body }) });
    expect(answer.status, answer.text).toBe(status);
    expect(answer.text).not.toContain('canary-of-the-table');
    if (status !== 200) expect(await stored()).toEqual(before);
  });
});

test('what needs a key is closed to every form of token', async () => {
  const document = describeApi(createApp(api.deps), api.deps);
  const read = await api.call('GET', `/destinations/${own.destination.id}`);
  const tokens = [
    await mint({}),
    await mint(newDestination(own.recipient.id)),
    await mint({ name: 'Renamed' }),
    await mint(at(read, 'data.destination') as object),
  ];
  const closed = listOperations(document).filter(
    ({ security }) => JSON.stringify(security) === '[{"apiKey":[]}]',
  );
  expect(closed.length).toBeGreaterThan(30);
  for (const { method, path, body } of closed) {
    for (const { destination, transferId } of [own, foreign]) {
      const filled = path
        .replace('{transfer_id}', transferId)
        .replaceAll(/\{[^}]+\}/g, destination.id);
      for (const token of tokens) {
        const headers = { Authorization: `Bearer ${token}`, 'X-APP-ID': page };
        const options = { key: null, headers, ...(body && { body: {} }) };
        expect((await api.call(method, filled, options)).status, `${method} ${path}`).toBe(403);
      }
    }
  }
});

test('every route of the app says who may call it', () => {
  expect(unclassified(createApp(api.deps).routes)).toEqual([]);
});
