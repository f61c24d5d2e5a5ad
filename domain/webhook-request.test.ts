import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../lib/deep-merge.ts';
import { noticeOf, noticeTypes, retryAfterSeconds, transferNotice } from './notices.ts';
import type { NoticeType, WebhookVendor } from './notices.ts';
import { requestFor, takesNotice } from './webhook-request.ts';

const data = {
  transfer: {
    id: 't1',
    status: 'PARTIAL_FAILURE',
    rows_transferred: 7,
    log: 'line\n'.repeat(1000),
    error: { blame: 'third_party', message: 'The login was refused.' },
  },
  destination: { id: 'd1', name: 'Acme & Söhne', vendor: 'postgres' },
  recipient: { id: 'r1', name: 'Acme', id_in_provider_system: 'acme' },
};

function requestOf(vendor: WebhookVendor, given: { type?: NoticeType; data?: JsonObject } = {}) {
  const event = {
    id: 'e1',
    type: 'transfer.error' as NoticeType,
    environment: 'prod',
    createdAt: new Date('2026-01-02T03:04:05Z'),
    data,
    ...given,
  };
  const url = 'https://hooks.example.com/in?team=1';
  return requestFor(event, { vendor, url, apiKey: 'k', publicUrl: 'https://waybill.example.com' });
}

describe('generic_post', () => {
  test('sends the event as JSON, with both names of the version, and signs exactly that', () => {
    const request = requestOf('generic_post');
    expect(request).toMatchObject({ method: 'POST', headers: { 'X-API-KEY': 'k' } });
    expect(request.signed).toBe(request.body);
    expect(JSON.parse(request.body ?? '')).toEqual({
      id: 'e1',
      type: 'transfer.error',
      version: '2023-10-15',
      api_version: '2023-10-15',
      created_at: '2026-01-02T03:04:05.000Z',
      data,
    });
  });
});

describe('generic_get', () => {
  test('puts the event into the query beside what the URL has, and signs the query as sent', () => {
    const request = requestOf('generic_get');
    const url = new URL(request.url);
    expect(request).toMatchObject({
      method: 'GET',
      body: undefined,
      headers: { 'X-API-KEY': 'k' },
    });
    expect(url.search).toBe(`?${request.signed}`);
    expect(url.searchParams.get('team')).toBe('1');
    expect(url.searchParams.get('type')).toBe('transfer.error');
    expect(JSON.parse(url.searchParams.get('data') ?? '')).toEqual(data);
  });
});

test('slack gets one sentence', () => {
  expect(JSON.parse(requestOf('slack').body ?? '')).toEqual({
    text: 'transfer.error: Acme & Söhne, transfer t1 PARTIAL_FAILURE (7 rows, The login was refused.)',
  });
  const created = { type: 'model.created' as const, data: { model: { model_name: 'invoices' } } };
  expect(JSON.parse(requestOf('slack', created).body ?? '')).toEqual({
    text: 'model.created: invoices',
  });
});

test('pagerduty gets an incident of the destination, and takes failures only', () => {
  expect(JSON.parse(requestOf('pagerduty').body ?? '')).toMatchObject({
    routing_key: 'k',
    event_action: 'trigger',
    dedup_key: 'waybill/d1',
    payload: { severity: 'error', source: 'https://waybill.example.com' },
  });
  expect(noticeTypes.filter((type) => takesNotice('pagerduty', type))).toEqual([
    'transfer.error',
    'destination.stale',
  ]);
  expect(noticeTypes.every((type) => takesNotice('slack', type))).toBe(true);
});

test('datadog gets the tags of the contract, and 3,000 characters of the log', () => {
  const request = requestOf('datadog');
  expect(request.headers).toMatchObject({ 'DD-API-KEY': 'k' });
  const event = JSON.parse(request.body ?? '') as { text: string; tags: string[] };
  expect(event).toMatchObject({ title: 'transfer.error for t1', alert_type: 'error' });
  expect(event.text).toHaveLength(3000);
  expect(event.tags).toEqual([
    'service:prequel',
    'event_type:transfer.error',
    'transfer_id:t1',
    'destination_id:d1',
    'destination_name:Acme & Söhne',
    'id_in_provider_system:acme',
    'transfer_status:PARTIAL_FAILURE',
    'rows_transferred:7',
    'env:prod',
    'host:waybill.example.com',
    'transfer_blamed_party:third_party',
  ]);
  const updated = { type: 'recipient.updated' as const, data: { recipient: { name: 'Acme' } } };
  expect(JSON.parse(requestOf('datadog', updated).body ?? '')).toMatchObject({
    title: 'recipient.updated for Acme',
    alert_type: 'user_update',
  });
});

describe('events', () => {
  test.each([
    ['SOURCE_ADD', 'source.created'],
    ['DESTINATION_UPDATE', 'destination.updated'],
    ['RECIPIENT_DELETE', 'recipient.deleted'],
    ['MODEL_ADD', 'model.created'],
    ['PRODUCT_UPDATE', 'product.updated'],
    ['MAGIC_LINK_CREATE', 'magic_link.created'],
    ['MAGIC_LINK_USE', 'magic_link.used'],
    ['API_KEY_ADD', undefined],
    ['RECIPIENT_SOURCE_CREDENTIAL_ADD', undefined],
    ['DESTINATION_PAUSE_ALL', undefined],
    ['WEBHOOK_ADD', undefined],
  ])('%s in the audit log is %s', (eventType, type) => {
    expect(noticeOf(eventType)?.type).toBe(type);
  });

  test.each([
    ['SUCCESS', 'transfer.success'],
    ['CANCELLED', 'transfer.cancelled'],
    ['ERROR', 'transfer.error'],
    ['PARTIAL_FAILURE', 'transfer.error'],
    ['EXPIRED', 'transfer.error'],
    ['ORPHANED', 'transfer.error'],
  ])('a transfer that ended as %s is %s', (status, type) => {
    expect(transferNotice(status)).toBe(type);
  });
});

test('the pauses grow to an hour, and a day of them has some thirty attempts', () => {
  expect([1, 2, 3, 4].map(retryAfterSeconds)).toEqual([5, 10, 20, 40]);
  expect(retryAfterSeconds(50)).toBe(3600);
});
