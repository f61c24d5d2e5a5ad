import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer, TestApi } from '../test/harness/api.ts';
import { at, createTestApi, textAt } from '../test/harness/api.ts';
import { unique } from '../test/harness/metadata.ts';

let api: TestApi;
let sourceId: string;
const password = 'canary-Pa55-of-the-log';

beforeAll(async () => {
  api = await createTestApi();
  const block = {
    host: 'db.example.com',
    database: 'app',
    password_auth: { username: 'u', password },
  };
  const source = { name: unique('billing'), vendor: 'postgres', postgres: block };
  sourceId = textAt(await api.call('POST', '/sources', { body: { source } }), 'data.source.id');
  await api.call('PATCH', `/sources/${sourceId}`, {
    body: {
      source: {
        name: unique('renamed'),
        postgres: { password_auth: { password: `${password}2` } },
      },
    },
  });
  await api.call('DELETE', `/sources/${sourceId}`);
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

interface Entry {
  readonly id: string;
  readonly event_type: string;
  readonly resource_id: string;
  readonly created_at: string;
}

function entriesOf(answer: Answer): Entry[] {
  return at(answer, 'data.event_logs') as unknown as Entry[];
}

describe('200', () => {
  test('every write stands in the log with its actor and the object before and after it', async () => {
    const answer = await api.call('GET', '/logs?event_type=source_add,SOURCE_UPDATE,SOURCE_DELETE');
    const entries = entriesOf(answer).filter((entry) => entry.resource_id === sourceId);
    expect(entries).toMatchObject([
      { event_type: 'SOURCE_DELETE', object: null, previous_object: { id: sourceId } },
      { event_type: 'SOURCE_UPDATE', object: { id: sourceId }, previous_object: { id: sourceId } },
      { event_type: 'SOURCE_ADD', object: { id: sourceId }, previous_object: null },
    ]);
    for (const entry of entries) {
      expect(entry).toMatchObject({
        actor: { type: 'api_key', actor_id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
      });
    }
  });

  test('no secret is in it, only the names that were kept', async () => {
    const answer = await api.call('GET', '/logs?page_size=100');
    expect(answer.text).not.toContain(password);
    expect(answer.text).toContain('db.example.com');
  });

  test('one entry can be read', async () => {
    const [first] = entriesOf(await api.call('GET', '/logs'));
    const one = await api.call('GET', `/logs/${first?.id}`);
    expect(at(one, 'data.event_log')).toEqual(first);
  });

  test('min_time is inclusive, and the old count and offset still page', async () => {
    const all = entriesOf(await api.call('GET', '/logs?page_size=100'));
    const future = Math.ceil(Date.now() / 1000) + 60;
    expect(entriesOf(await api.call('GET', `/logs?min_time=${future}`))).toEqual([]);
    expect(entriesOf(await api.call('GET', '/logs?min_time=0&count=100'))).toEqual(all);
    expect(entriesOf(await api.call('GET', '/logs?count=1&offset=1'))).toEqual(all.slice(1, 2));
  });

  test('following next_url shows every entry once', async () => {
    const all = entriesOf(await api.call('GET', '/logs?page_size=100')).map(({ id }) => id);
    const seen: string[] = [];
    let path: string | undefined = '/logs?page_size=2&offset=0';
    while (path !== undefined) {
      const answer: Answer = await api.call('GET', path);
      seen.push(...entriesOf(answer).map(({ id }) => id));
      const next = (answer.body as { next_url?: string }).next_url;
      path = next?.replace('https://waybill.test', '');
    }
    expect(seen).toEqual(all);
  });

  test('the log of one environment shows nothing of the other', async () => {
    const staging = await api.call('GET', '/logs?page_size=100', { key: api.keys.staging });
    expect(entriesOf(staging).filter((entry) => entry.resource_id === sourceId)).toEqual([]);
  });
});

describe('400', () => {
  test('a filter that is no number is named', async () => {
    for (const query of ['min_time=yesterday', 'offset=-1', 'count=0']) {
      const answer = await api.call('GET', `/logs?${query}`);
      expect(answer.status).toBe(400);
      expect(textAt(answer, 'message')).toContain(query.split('=')[0]);
    }
  });
});

describe('404 and 405', () => {
  test('another environment has no such entry, and none can be changed or removed', async () => {
    const [first] = entriesOf(await api.call('GET', '/logs'));
    const path = `/logs/${first?.id}`;
    expect((await api.call('GET', path, { key: api.keys.staging })).status).toBe(404);
    expect((await api.call('GET', '/logs/none')).status).toBe(404);
    for (const method of ['PATCH', 'PUT', 'DELETE']) {
      expect((await api.call(method, path)).status).toBe(405);
    }
  });
});
