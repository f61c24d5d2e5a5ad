import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestApi } from '../test/harness/api.ts';
import { at, createTestApi, textAt } from '../test/harness/api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const right = {
  vendor: 'generic_post',
  name: 'Backend',
  url: 'https://backend.example.com/hook',
  events: ['transfer.success', 'transfer.success', 'model.created'],
  api_key: 'canary-secret',
};

describe('200', () => {
  test('a webhook is stored, changed, listed and deleted; its key is never shown', async () => {
    const created = await api.call('POST', '/webhooks', { body: { webhook: right } });
    expect(at(created, 'data.webhook')).toMatchObject({
      vendor: 'generic_post',
      events: ['transfer.success', 'model.created'],
      api_version: '2023-10-15',
      is_enabled: true,
    });
    const path = `/webhooks/${textAt(created, 'data.webhook.id')}`;
    const body = { webhook: { is_enabled: false, name: 'Renamed' } };
    const changed = await api.call('PATCH', path, { body });
    expect(at(changed, 'data.webhook')).toMatchObject({ is_enabled: false, name: 'Renamed' });
    expect(at(await api.call('GET', path), 'data.webhook.name')).toBe('Renamed');
    expect(at(await api.call('GET', '/webhooks'), 'data.webhooks')).toHaveLength(1);
    expect((await api.call('GET', path, { key: api.keys.staging })).status).toBe(404);
    expect((await api.call('DELETE', path)).body).toMatchObject({ status: 'success', data: {} });
    expect((await api.call('GET', path)).status).toBe(404);
    const log = await api.call('GET', '/logs?event_type=WEBHOOK_ADD,WEBHOOK_UPDATE,WEBHOOK_DELETE');
    expect(at(log, 'data.event_logs')).toHaveLength(3);
    const seen = [created, changed, log].map(({ text }) => text).join();
    expect(seen + api.logged.join()).not.toContain('canary-secret');
  });

  test('a write that nobody listens to leaves no notice', async () => {
    const before = api.workflows.calls.filter(({ verb }) => verb === 'ringNotices').length;
    const recipient = { name: 'r', id_in_provider_system: 'nobody-listens' };
    await api.call('POST', '/recipients', { body: { recipient } });
    expect(api.workflows.calls.filter(({ verb }) => verb === 'ringNotices')).toHaveLength(before);
  });

  test('an engine that is away is no fault of the write: the notice waits', async () => {
    const events = ['recipient.created'];
    await api.call('POST', '/webhooks', { body: { webhook: { ...right, events } } });
    api.workflows.isAway = true;
    const recipient = { name: 'r', id_in_provider_system: 'engine-away' };
    expect((await api.call('POST', '/recipients', { body: { recipient } })).status).toBe(200);
    api.workflows.isAway = false;
    const more = { name: 'r', id_in_provider_system: 'engine-back' };
    await api.call('POST', '/recipients', { body: { recipient: more } });
    expect(api.workflows.calls.filter(({ verb }) => verb === 'ringNotices')).toHaveLength(2);
  });
});

describe('400', () => {
  test.each([
    ['an event that there is not', { events: ['transfer.finished'] }, 'events'],
    ['no event', { events: [] }, 'events'],
    ['a kind that there is not', { vendor: 'carrier_pigeon' }, 'vendor'],
    ['no URL', { url: 'backend' }, 'url'],
    ['a URL of another kind', { url: 'ftp://example.com' }, 'url'],
    ['a URL with a password', { url: 'https://u:p@example.com' }, 'url'],
    ['another version', { api_version: '2022-01-01' }, 'api_version'],
  ])('%s is named', async (_, wrong, field) => {
    const answer = await api.call('POST', '/webhooks', {
      body: { webhook: { ...right, ...wrong } },
    });
    expect(answer.status).toBe(400);
    expect(textAt(answer, 'message')).toContain(`webhook.${field}`);
  });
});
