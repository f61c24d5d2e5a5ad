import { isJsonObject, type Json, type JsonObject } from '../lib/deep-merge.ts';
import { failureTypes, type NoticeType, type WebhookVendor } from './notices.ts';

/** The version of the form of events. */
export const noticeVersion = '2023-10-15';

/** An event as the receivers get it. */
export interface NoticeEvent {
  /** The same on every attempt, so that a receiver can tell a repeat. */
  readonly id: string;
  readonly type: NoticeType;
  readonly environment: string;
  readonly createdAt: Date;
  readonly data: JsonObject;
}

export interface Endpoint {
  readonly vendor: WebhookVendor;
  readonly url: string;
  readonly apiKey: string | undefined;
  /** Of this Waybill, for links and for the tag `host`. */
  readonly publicUrl: string;
}

/** What is sent; what is signed is `signed`. */
export interface WebhookRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly signed: string;
}

/** The request that tells an endpoint of an event. */
export function requestFor(event: NoticeEvent, endpoint: Endpoint): WebhookRequest {
  switch (endpoint.vendor) {
    case 'generic_post':
      return post(endpoint.url, bodyOf(event), keyHeader('X-API-KEY', endpoint));
    case 'generic_get':
      return get(event, endpoint);
    case 'slack':
      return post(endpoint.url, { text: sentenceOf(event) }, {});
    case 'pagerduty':
      return post(endpoint.url, incidentOf(event, endpoint), {});
    case 'datadog':
      return post(endpoint.url, datadogEvent(event, endpoint), keyHeader('DD-API-KEY', endpoint));
  }
}

/** What drivers said during a transfer, for an endpoint that asked for it. */
export function traceRequest(
  traces: JsonObject,
  { createdAt, endpoint }: { createdAt: Date; endpoint: Endpoint },
): WebhookRequest {
  const body = { type: 'sensitive_trace', created_at: createdAt.toISOString(), ...traces };
  return post(endpoint.url, body, keyHeader('X-API-KEY', endpoint));
}

/** Whether an endpoint of that kind takes the event: incidents are for failures. */
export function takesNotice(vendor: WebhookVendor, type: NoticeType): boolean {
  return vendor !== 'pagerduty' || failureTypes.includes(type) || type === 'webhook.test';
}

function post(url: string, body: JsonObject, headers: Record<string, string>): WebhookRequest {
  const text = JSON.stringify(body);
  const all = { 'Content-Type': 'application/json', ...headers };
  return { method: 'POST', url, headers: all, body: text, signed: text };
}

function get(event: NoticeEvent, endpoint: Endpoint): WebhookRequest {
  const { type, api_version: version, created_at: createdAt, data, id } = bodyOf(event);
  const url = new URL(endpoint.url);
  const fields = { type, api_version: version, created_at: createdAt, id };
  for (const [name, value] of Object.entries(fields)) url.searchParams.set(name, String(value));
  url.searchParams.set('data', JSON.stringify(data));
  return {
    method: 'GET',
    url: url.href,
    headers: keyHeader('X-API-KEY', endpoint),
    body: undefined,
    signed: url.search.slice(1),
  };
}

function keyHeader(name: string, { apiKey }: Endpoint): Record<string, string> {
  return apiKey === undefined ? {} : { [name]: apiKey };
}

function bodyOf(event: NoticeEvent) {
  return {
    id: event.id,
    type: event.type,
    version: noticeVersion,
    api_version: noticeVersion,
    created_at: event.createdAt.toISOString(),
    data: event.data,
  };
}

function incidentOf(event: NoticeEvent, { apiKey, publicUrl }: Endpoint): JsonObject {
  const destination = part(event.data, 'destination');
  return {
    routing_key: apiKey ?? '',
    event_action: 'trigger',
    dedup_key: `waybill/${textOf(destination['id']) || event.id}`,
    payload: {
      summary: sentenceOf(event),
      source: publicUrl,
      severity: 'error',
      timestamp: event.createdAt.toISOString(),
    },
  };
}

/** The receiver cuts longer texts. */
const datadogTextMax = 3000;

function datadogEvent(event: NoticeEvent, { publicUrl }: Endpoint): JsonObject {
  const transfer = part(event.data, 'transfer');
  const destination = part(event.data, 'destination');
  const recipient = part(event.data, 'recipient');
  const blame = part(transfer, 'error')['blame'];
  const tags: Record<string, Json | undefined> = {
    service: 'prequel',
    event_type: event.type,
    transfer_id: transfer['id'],
    destination_id: destination['id'],
    destination_name: destination['name'],
    id_in_provider_system: recipient['id_in_provider_system'],
    transfer_status: transfer['status'],
    rows_transferred: transfer['rows_transferred'],
    env: event.environment,
    host: URL.parse(publicUrl)?.host,
    transfer_blamed_party: blame,
  };
  const given = Object.entries(tags).filter(([, value]) => value !== undefined && value !== null);
  return {
    title: `${event.type} for ${textOf(transfer['id']) || nameOf(event)}`,
    text: textOf(transfer['log']).slice(0, datadogTextMax),
    tags: given.map(([name, value]) => `${name}:${textOf(value)}`),
    alert_type: alertType(event.type),
  };
}

function alertType(type: NoticeType): string {
  if (failureTypes.includes(type)) return 'error';
  return type.startsWith('transfer.') ? 'info' : 'user_update';
}

/** One line for people. */
function sentenceOf(event: NoticeEvent): string {
  const transfer = part(event.data, 'transfer');
  if (transfer['id'] === undefined) return `${event.type}: ${nameOf(event)}`;
  const status = textOf(transfer['status']);
  const reason = textOf(part(transfer, 'error')['message']);
  const rows = `${textOf(transfer['rows_transferred'])} rows`;
  const what = reason === '' ? rows : `${rows}, ${reason}`;
  return `${event.type}: ${nameOf(event)}, transfer ${textOf(transfer['id'])} ${status} (${what})`;
}

function nameOf({ data }: NoticeEvent): string {
  const object = isJsonObject(data['destination']) ? data['destination'] : Object.values(data)[0];
  if (!isJsonObject(object)) return '';
  const names = [object['name'], object['model_name'], object['product_name'], object['id']];
  return names.map(textOf).find((name) => name !== '') ?? '';
}

function part(object: JsonObject, key: string): JsonObject {
  const found = object[key];
  return isJsonObject(found) ? found : {};
}

function textOf(value: Json | undefined): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}
