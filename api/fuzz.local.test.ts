import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestApi } from '../test/harness/api.ts';
import { createTestApi, textAt } from '../test/harness/api.ts';
import { makeVendor } from '../test/harness/metadata.ts';
import type { FuzzRequest } from '../test/harness/request-arbitrary.ts';
import { listOperations, requestOf } from '../test/harness/request-arbitrary.ts';
import { createApp } from './app.ts';
import { describeApi } from './openapi.ts';

// Thousands of requests made from our own document, right ones and wrong ones. `api.call` holds every
// answer against the document and throws where it is not as that says.

const requestsInAll = 3000;
let api: TestApi;
const known: Record<string, string[]> = {};

beforeAll(async () => {
  api = await createTestApi();
  // Of a model check and of a look at a table's catalogue alike.
  const found = { kind: 'model', errors: [], warnings: [], columns: [] } as const;
  api.workflows.report = ({ kind }) =>
    kind === 'model' ? found : { kind: 'connection', findings: [], error: null };
  for (const environment of ['prod', 'prod', 'prod', 'staging'] as const) {
    const { source, model, product, recipient, destination } = await makeVendor(
      api.metadata.db,
      environment,
    );
    const started = await api.call('POST', `/destinations/${destination.id}/transfer`, {
      key: api.keys[environment],
    });
    const link = await api.call('POST', '/magic-links', {
      key: api.keys[environment],
      body: { magic_link: { recipient_id: recipient.id, name: 'By link' } },
    });
    remember({
      magic_link_id: textAt(link, 'data.magic_link.id'),
      token: textAt(link, 'data.magic_link.link').split('/').at(-1) ?? '',
      vendor: 'postgres',
      source_id: source.id,
      source_name: source.name,
      model_id: model.id,
      model_name: model.name,
      product_name: product.name,
      recipient_id: recipient.id,
      id_in_provider_system: recipient.idInProviderSystem,
      destination_id: destination.id,
      transfer_id: textAt(started, 'data.transfer_id'),
    });
  }
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

function remember(objects: Record<string, string>): void {
  for (const [name, value] of Object.entries(objects)) (known[name] ??= []).push(value);
}

/** No request is our fault, and every answer is JSON that any page can read. */
async function send({ method, path, raw }: FuzzRequest): Promise<number> {
  const answer = await api.call(method, path, raw === undefined ? {} : { raw });
  expect(answer.status, answer.text).not.toBe(500);
  expect(answer.headers.get('access-control-allow-origin')).toBe('*');
  expect(answer.body).toMatchObject({ message: expect.any(String) });
  return answer.status;
}

test('whatever is asked, the answer is as the document says', { timeout: 300_000 }, async () => {
  const document = describeApi(createApp(api.deps), api.deps);
  // Deletions last, or the others would meet nothing.
  const operations = listOperations(document).toSorted(
    (a, b) => Number(a.method === 'DELETE') - Number(b.method === 'DELETE'),
  );
  const seed = Date.now() % 1_000_000_000;
  console.info(`fuzz: seed ${seed}, ${operations.length} operations, ${requestsInAll} requests`);
  const statuses = new Map<number, number>();
  for (const operation of operations) {
    await fc.assert(
      fc.asyncProperty(requestOf(document, operation, known), async (request) => {
        const status = await send(request);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }),
      { seed, numRuns: Math.ceil(requestsInAll / operations.length), endOnFailure: true },
    );
  }
  console.info(`fuzz: answers by status ${JSON.stringify(Object.fromEntries(statuses))}`);
  // A fuzzer that never gets past the first check proves little.
  expect(statuses.get(200)).toBeGreaterThan(requestsInAll / 10);
});
