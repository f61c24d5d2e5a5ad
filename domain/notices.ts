// The events that webhooks may ask for.

const nouns = ['source', 'destination', 'recipient', 'magic_link', 'model', 'product'] as const;
const written = {
  ADD: 'created',
  UPDATE: 'updated',
  DELETE: 'deleted',
  CREATE: 'created',
} as const;

export type NoticeNoun = (typeof nouns)[number];

export type NoticeType =
  | `${NoticeNoun}.${(typeof written)[keyof typeof written]}`
  | 'transfer.started'
  | 'transfer.success'
  | 'transfer.error'
  | 'transfer.cancelled'
  | 'magic_link.used'
  | 'destination.stale'
  | 'webhook.test'
  | 'sensitive_trace';

/** What a webhook can subscribe to. */
export const noticeTypes: readonly NoticeType[] = [
  'transfer.started',
  'transfer.success',
  'transfer.error',
  'transfer.cancelled',
  ...nouns.flatMap((noun) =>
    (['created', 'updated', 'deleted'] as const).map((verb) => `${noun}.${verb}` as const),
  ),
  'magic_link.used',
  'destination.stale',
];

/** Those that tell of something that went wrong. */
export const failureTypes: readonly NoticeType[] = ['transfer.error', 'destination.stale'];

export const webhookVendors = [
  'generic_post',
  'generic_get',
  'slack',
  'pagerduty',
  'datadog',
] as const;
export type WebhookVendor = (typeof webhookVendors)[number];

/** Beside webhooks, endpoints that are told what drivers said. */
export type WebhookKind = 'webhook' | 'trace';

/** The event that a line of the audit log is, and the object that it tells of; most lines are none. */
export function noticeOf(eventType: string): { type: NoticeType; noun: NoticeNoun } | undefined {
  if (eventType === 'MAGIC_LINK_USE') return { type: 'magic_link.used', noun: 'magic_link' };
  const noun = nouns.find((one) => eventType.startsWith(`${one.toUpperCase()}_`));
  if (noun === undefined) return undefined;
  const verb = eventType.slice(noun.length + 1);
  return isWritten(verb) ? { type: `${noun}.${written[verb]}`, noun } : undefined;
}

function isWritten(verb: string): verb is keyof typeof written {
  return Object.hasOwn(written, verb);
}

/** The event of a transfer that has ended so. */
export function transferNotice(status: string): NoticeType {
  if (status === 'SUCCESS') return 'transfer.success';
  return status === 'CANCELLED' ? 'transfer.cancelled' : 'transfer.error';
}

/** A delivery is given up after so long; its object's later events go on. */
export const deliverySecondsMax = 86_400;

/** How long to wait after so many failed attempts: 5 s, 10 s, 20 s …, an hour at most. */
export function retryAfterSeconds(attempts: number): number {
  return Math.min(3600, 5 * 2 ** Math.max(0, attempts - 1));
}
