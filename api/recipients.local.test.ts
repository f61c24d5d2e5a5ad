import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestApi } from '../test/harness/api.ts';
import { at, createTestApi, textAt } from '../test/harness/api.ts';
import {
  makeDestination,
  makeModel,
  makeRecipient,
  makeSource,
  unique,
} from '../test/harness/metadata.ts';

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

async function createProduct(models: string[] = []): Promise<string> {
  const product_name = unique('product');
  await api.call('POST', '/products', { body: { product: { product_name, models } } });
  return product_name;
}

async function createRecipient(fields: object = {}): Promise<string> {
  const recipient = { name: 'Northwind', id_in_provider_system: unique('tenant'), ...fields };
  const answer = await api.call('POST', '/recipients', { body: { recipient } });
  return textAt(answer, 'data.recipient.id');
}

describe('200', () => {
  test('a recipient is stored, changed, listed and deleted', async () => {
    const tenant = unique('tenant with spaces');
    const created = await api.call('POST', '/recipients', {
      body: { recipient: { name: 'Northwind', id_in_provider_system: tenant, unknown: 1 } },
    });
    expect(created.body).toMatchObject({
      data: {
        recipient: {
          name: 'Northwind',
          id_in_provider_system: tenant,
          products: [],
          default_full_refresh_min_start_time_epoch: null,
        },
      },
    });
    const path = `/recipients/${textAt(created, 'data.recipient.id')}`;
    const product = await createProduct();
    const patch = { products: [product], default_full_refresh_min_start_time_epoch: '1700000000' };
    const changed = await api.call('PATCH', path, { body: { recipient: patch } });
    expect(changed.body).toMatchObject({
      data: {
        recipient: {
          name: 'Northwind',
          products: [product],
          default_full_refresh_min_start_time_epoch: 1_700_000_000,
        },
      },
    });
    const reset = { products: null, default_full_refresh_min_start_time_epoch: null };
    const emptied = await api.call('PATCH', path, { body: { recipient: reset } });
    expect(emptied.body).toMatchObject({
      data: { recipient: { products: [], default_full_refresh_min_start_time_epoch: null } },
    });
    const listed = await api.call(
      'GET',
      `/recipients?id_in_provider_system=${encodeURIComponent(tenant)}`,
    );
    expect(at(listed, 'data.recipients')).toHaveLength(1);
    expect((await api.call('DELETE', path)).body).toMatchObject({ status: 'success', data: {} });
    expect((await api.call('GET', path)).status).toBe(404);
  });

  test('a product is stored bare or wrapped, changed, listed and deleted', async () => {
    const { db } = api.metadata;
    const model = await makeModel(db, await makeSource(db));
    const product_name = unique('bare product');
    const created = await api.call('POST', '/products', {
      body: { product_name, models: [model.name] },
    });
    expect(created.body).toMatchObject({
      data: { product: { product_name, models: [model.name] } },
    });
    const path = `/products/${encodeURIComponent(product_name)}`;
    const changed = await api.call('PATCH', path, { body: { product: { models: [] } } });
    expect(changed.body).toMatchObject({ data: { product: { models: [] } } });
    expect((await api.call('PATCH', path, { body: { product: {} } })).status).toBe(200);
    expect((await api.call('DELETE', path)).body).toMatchObject({ data: {} });
    expect((await api.call('GET', path)).status).toBe(404);
  });

  test('the models and destinations of one recipient come at once', async () => {
    const { db } = api.metadata;
    const model = await makeModel(db, await makeSource(db));
    const product = await createProduct([model.name]);
    const recipient = await makeRecipient(db, { products: [product] });
    for (let count = 0; count < 12; count += 1) await makeDestination(db, recipient);
    const models = await api.call('GET', `/models-for-recipient?recipient_id=${recipient.id}`);
    expect(models.body).toMatchObject({
      data: { models: [{ model_name: model.name }] },
      has_next: false,
    });
    const destinations = await api.call(
      'GET',
      `/export/destinations-for-recipient?recipient_id=${recipient.id}`,
    );
    expect(at(destinations, 'data.destinations')).toHaveLength(12);
    expect(at(destinations, 'has_next')).toBe(false);
  });
});

describe('400', () => {
  test.each<[string, object, string]>([
    ['no name', { id_in_provider_system: 'x' }, 'recipient.name'],
    ['no tenant', { name: 'x' }, 'recipient.id_in_provider_system'],
    [
      'an empty tenant',
      { name: 'x', id_in_provider_system: '' },
      'recipient.id_in_provider_system',
    ],
    [
      'a tenant that is no text',
      { name: 'x', id_in_provider_system: 17 },
      'recipient.id_in_provider_system',
    ],
    [
      'a name that is too long',
      { name: 'x'.repeat(256), id_in_provider_system: 'x' },
      'recipient.name',
    ],
    [
      'an unknown product',
      { name: 'x', id_in_provider_system: 'y', products: ['nope'] },
      'recipient.products[0]',
    ],
    [
      'products that are no list',
      { name: 'x', id_in_provider_system: 'y', products: 'a' },
      'recipient.products',
    ],
    [
      'a start that is no number',
      { name: 'x', id_in_provider_system: 'y', default_full_refresh_min_start_time_epoch: 'soon' },
      'recipient.default_full_refresh_min_start_time_epoch',
    ],
  ])('a recipient with %s', async (_, recipient, path) => {
    const answer = await api.call('POST', '/recipients', { body: { recipient } });
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body).toMatchObject({ errors: [{ path }] });
  });

  test.each<[string, object, string]>([
    ['no name', { models: [] }, 'product.product_name'],
    ['no models', { product_name: 'x' }, 'product.models'],
    ['an unknown model', { product_name: 'x', models: ['nope'] }, 'product.models[0]'],
    ['a model that is no text', { product_name: 'x', models: [1] }, 'product.models[0]'],
  ])('a product with %s', async (_, product, path) => {
    const answer = await api.call('POST', '/products', { body: { product } });
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body).toMatchObject({ errors: [{ path }] });
  });

  test.each(['/models-for-recipient', '/destinations-for-recipient'])(
    '%s without recipient_id',
    async (path) => {
      const answer = await api.call('GET', path);
      expect(answer.body).toMatchObject({ errors: [{ path: 'recipient_id', code: 'required' }] });
    },
  );
});

describe('404', () => {
  test.each(['GET', 'PATCH', 'DELETE'])(
    '%s of a recipient of the other environment',
    async (method) => {
      const id = await createRecipient();
      const body = method === 'PATCH' ? { body: { recipient: { name: 'x' } } } : {};
      expect(
        (await api.call(method, `/recipients/${id}`, { ...body, key: api.keys.staging })).status,
      ).toBe(404);
    },
  );

  test.each(['GET', 'PATCH', 'DELETE'])(
    '%s of a product of the other environment',
    async (method) => {
      const name = await createProduct();
      const body = method === 'PATCH' ? { body: { product: { models: [] } } } : {};
      expect(
        (await api.call(method, `/products/${name}`, { ...body, key: api.keys.staging })).status,
      ).toBe(404);
    },
  );
});

describe('409', () => {
  test('a tenant that has a recipient', async () => {
    const id_in_provider_system = unique('tenant');
    await createRecipient({ id_in_provider_system });
    const answer = await api.call('POST', '/recipients', {
      body: { recipient: { name: 'x', id_in_provider_system } },
    });
    expect(answer.status).toBe(409);
  });

  test('a recipient with a destination keeps its tenant and cannot be deleted', async () => {
    const recipient = await makeRecipient(api.metadata.db);
    await makeDestination(api.metadata.db, recipient);
    const path = `/recipients/${recipient.id}`;
    const patch = { recipient: { id_in_provider_system: 'other' } };
    expect((await api.call('PATCH', path, { body: patch })).status).toBe(409);
    expect((await api.call('DELETE', path)).status).toBe(409);
  });

  test('a product of the same name, and one that a recipient has', async () => {
    const product_name = await createProduct();
    await createRecipient({ products: [product_name] });
    const again = await api.call('POST', '/products', {
      body: { product: { product_name, models: [] } },
    });
    expect(again.status).toBe(409);
    expect((await api.call('DELETE', `/products/${product_name}`)).status).toBe(409);
  });
});

describe('pages', () => {
  async function fill(count: number): Promise<Set<string>> {
    const ids = new Set<string>();
    for (let made = 0; made < count; made += 1) ids.add(await createRecipient());
    return ids;
  }

  /** As the official client does it: takes the cursor apart, builds it anew, repeats only two parameters. */
  async function walk(first: string): Promise<string[]> {
    const seen: string[] = [];
    let answer = await api.call('GET', first);
    for (;;) {
      const { recipients } = (answer.body as { data: { recipients: { id: string }[] } }).data;
      seen.push(...recipients.map(({ id }) => id));
      if (at(answer, 'has_next') !== true) return seen;
      const query = new URLSearchParams(textAt(answer, 'next_url').split('?')[1]);
      const position = JSON.parse(atob(query.get('cursor') ?? '')) as Record<string, string>;
      expect(Object.keys(position)).toEqual(['id', 'last_seen_sort_value']);
      const cursor = encodeURIComponent(btoa(JSON.stringify(position)));
      answer = await api.call(
        'GET',
        `/recipients?page_size=${query.get('page_size')}&cursor=${cursor}`,
      );
    }
  }

  test('a client that builds cursors itself sees every item once, in order', async () => {
    const made = await fill(7);
    const seen = await walk('/recipients?page_size=3');
    expect(new Set(seen).size).toBe(seen.length);
    expect(new Set(seen).isSupersetOf(made)).toBe(true);
    expect(seen.slice(0, 7)).toEqual([...made].reverse());
  });

  test('next_url is absolute, keeps the path as asked and has no raw plus', async () => {
    await fill(2);
    const answer = await api.call('GET', '/export/recipients?page_size=1&order=asc');
    const url = textAt(answer, 'next_url');
    expect(url).toMatch(
      /^https:\/\/waybill\.test\/export\/recipients\?page_size=1&order=asc&cursor=/,
    );
    expect(url).not.toContain('+');
    const next = await api.call('GET', url.replace('https://waybill.test', ''));
    expect(at(next, 'data.recipients.0.id')).not.toBe(at(answer, 'data.recipients.0.id'));
  });

  test('a cursor counts unpadded, URL-safe and with a space for its plus', async () => {
    await fill(2);
    const answer = await api.call('GET', '/recipients?page_size=1');
    const cursor = new URL(textAt(answer, 'next_url')).searchParams.get('cursor') ?? '';
    const spellings = [
      cursor.replace(/=+$/, ''),
      cursor.replaceAll('+', '-').replaceAll('/', '_'),
      cursor.replaceAll('+', ' '),
    ];
    const wanted = await api.call(
      'GET',
      `/recipients?page_size=1&cursor=${encodeURIComponent(cursor)}`,
    );
    for (const spelling of spellings) {
      const found = await api.call(
        'GET',
        `/recipients?page_size=1&cursor=${encodeURIComponent(spelling)}`,
      );
      expect(at(found, 'data.recipients')).toEqual(at(wanted, 'data.recipients'));
    }
  });

  const someId = '0199aa00-0000-7000-8000-000000000001';
  const encode = (value: unknown) => encodeURIComponent(btoa(JSON.stringify(value)));
  test.each([
    ['page_size=0', 'page_size'],
    ['page_size=-1', 'page_size'],
    ['page_size=x', 'page_size'],
    ['page_size=1.5', 'page_size'],
    ['page_size=1&page_size=2', 'page_size'],
    ['order=up', 'order'],
    ['cursor=%%%', 'cursor'],
    ['cursor=abc', 'cursor'],
    [`cursor=${encode({ id: 'x' })}`, 'cursor'],
    [`cursor=${encode({ id: 'x', last_seen_sort_value: 'y' })}`, 'cursor'],
    [`cursor=${encode([])}`, 'cursor'],
    [`cursor=${encode({ id: 1, last_seen_sort_value: 2 })}`, 'cursor'],
    [
      `cursor=${encode({ id: someId, last_seen_sort_value: '2026-02-30T00:00:00.000000Z' })}`,
      'cursor',
    ],
  ])('%s is refused', async (query, path) => {
    const answer = await api.call('GET', `/recipients?${query}`);
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body).toMatchObject({ errors: [{ path }] });
  });

  test('more than 100 counts as 100', async () => {
    expect((await api.call('GET', '/recipients?page_size=100000')).status).toBe(200);
  });

  test('old clients get all products and models at once', async () => {
    for (let count = 0; count < 11; count += 1) await createProduct();
    const whole = await api.call('GET', '/export/products');
    expect((at(whole, 'data.products') as unknown[]).length).toBeGreaterThan(10);
    expect(at(whole, 'has_next')).toBe(false);
    const paged = await api.call('GET', '/products', {
      headers: { 'X-Prequel-Api-Version': '2023-12-01' },
    });
    expect(at(paged, 'data.products')).toHaveLength(10);
  });
});
