import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestApi } from '../test/harness/api.ts';
import { at, createTestApi, textAt } from '../test/harness/api.ts';
import { makeRecipient } from '../test/harness/metadata.ts';

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

interface Vendor {
  readonly key: string;
  readonly display: string;
  readonly docs: string;
  readonly icon_url: string;
  readonly disabled: boolean;
}

describe('the catalogue', () => {
  test('is a list in data, those first that can be connected', async () => {
    const answer = await api.call('GET', '/public/destination-vendors', { key: null });
    const vendors = at(answer, 'data') as Vendor[];
    expect(vendors).toHaveLength(26);
    expect(vendors.filter(({ disabled }) => !disabled).map(({ key }) => key)).toEqual([
      'aurora_postgres',
      'postgres',
    ]);
    expect(vendors[1]).toMatchObject({ display: 'PostgreSQL', disabled: false });
    for (const { docs, icon_url: icon } of vendors) {
      const page = await api.call('GET', new URL(docs).pathname, { key: null });
      expect([page.status, page.text.includes('<th>Field</th>')], docs).toEqual([200, true]);
      expect(icon).toMatch(/^data:image\/svg\+xml,/);
    }
    const sources = await api.call('GET', '/public/source-vendors', { key: null });
    const keys = (at(sources, 'data') as Vendor[]).map(({ key }) => key);
    expect(keys).toHaveLength(15);
    expect(keys).not.toContain('s3');
  });

  test('of a vendor that is not built can be read, and connecting it is refused with a sentence', async () => {
    const recipient = await makeRecipient(api.metadata.db);
    const block = {
      host: 'h',
      database: 'd',
      schema: 's',
      password_auth: { username: 'u', password: 'p' },
    };
    const destination = {
      vendor: 'snowflake',
      name: 'S',
      recipient_id: recipient.id,
      snowflake: block,
    };
    for (const path of ['/destinations', '/test-destination']) {
      const answer = await api.call('POST', path, { body: { destination } });
      expect(answer.status).toBe(400);
      expect(textAt(answer, 'message')).toBe(
        'Snowflake cannot be connected as a destination yet: its connector is not built; ' +
          'served: aurora_postgres, postgres.',
      );
    }
  });
});

test('a vendor that nobody knows has no page', async () => {
  const answer = await api.call('GET', '/docs/vendors/nobody', { key: null });
  expect(answer.status).toBe(404);
  expect(answer.body).toMatchObject({ status: 'error', message: 'There is no vendor nobody.' });
});

describe('the form', () => {
  test('has the vendors that were asked for', async () => {
    const path = '/public/forms/destination-vendors?vendor=postgres,s3&org_id=anything';
    const answer = await api.call('GET', path, { key: null });
    expect(at(answer, 'data.form.enum')).toMatchObject([
      { key: 'postgres' },
      { key: 's3', disabled: true },
    ]);
    const children = at(answer, 'data.form.children') as { name: string; parent: string }[];
    expect(new Set(children.map(({ parent }) => parent))).toEqual(new Set(['postgres', 's3']));
    expect(at(answer, 'data.sections')).toContainEqual({
      id: 'general',
      title: 'General',
      subtitle: null,
    });
  });

  test('of a kind that nobody knows is empty, and no error', async () => {
    const answer = await api.call('GET', '/public/forms/destination-vendors?vendor=abacus', {
      key: null,
    });
    expect(answer.status).toBe(200);
    expect(at(answer, 'data.form.children')).toEqual([]);
  });

  test('is sent once: a browser that has it is told so', async () => {
    for (const path of [
      '/public/destination-vendors',
      '/export/public/forms/destination-vendors',
    ]) {
      const first = await api.call('GET', path, { key: null });
      const tag = first.headers.get('etag') ?? '';
      expect(tag, path).not.toBe('');
      const again = await api.call('GET', path, { key: null, headers: { 'If-None-Match': tag } });
      expect(again.status).toBe(304);
      expect(again.text).toBe('');
      expect(again.headers.get('access-control-allow-origin')).toBe('*');
    }
  });
});
