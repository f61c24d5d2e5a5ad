import { createHash, createSign } from 'node:crypto';
import {
  dropDelivery,
  findDueDelivery,
  recordAttempt,
  type DueDelivery,
  type Lane,
} from '../db/notices.ts';
import { contextOf, currentSigningKey } from '../db/signing-keys.ts';
import { describeTestTraces, describeTraces } from '../db/traces.ts';
import { describeTransferNotice } from '../db/transfer-notices.ts';
import { openWebhookKey } from '../db/webhooks.ts';
import { deliverySecondsMax, retryAfterSeconds } from '../domain/notices.ts';
import { requestFor, traceRequest, type WebhookRequest } from '../domain/webhook-request.ts';
import { sendHttp } from '../lib/send-http.ts';
import type { StepDeps } from './deps.ts';

const timeoutMs = 10_000;

/** What the lane's workflow does next. */
export interface DeliveryStep {
  readonly next: 'more' | 'wait' | 'idle';
  readonly waitSeconds: number;
}

/**
 * Tries the oldest open delivery of a lane once and records the attempt. What is sent twice after a crash
 * between the two has the same event id, by which receivers tell a repeat.
 */
export async function deliverWebhook(deps: StepDeps, lane: Lane): Promise<DeliveryStep> {
  const delivery = await findDueDelivery(deps.db, lane);
  if (delivery === undefined) return { next: 'idle', waitSeconds: 0 };
  const { webhook } = delivery;
  if (webhook.deletedAt !== null || !webhook.isEnabled) {
    await dropDelivery(deps.db, delivery.id);
    return { next: 'more', waitSeconds: 0 };
  }
  const startedAt = performance.now();
  const { statusCode, error } = await attempt(deps, delivery);
  const millis = Math.round(performance.now() - startedAt);
  const isDelivered = statusCode !== null && statusCode >= 200 && statusCode < 300;
  deps.metrics.noticeSent(isDelivered ? 'delivered' : 'failed');
  const waitSeconds = retryAfterSeconds(delivery.attempts + 1);
  const isSpent = delivery.ageSeconds + waitSeconds > deliverySecondsMax;
  const failure = isSpent ? ('ERROR' as const) : undefined;
  const end = isDelivered ? 'SUCCESS' : failure;
  await recordAttempt(deps.db, { deliveryId: delivery.id, statusCode, error, millis, end });
  const fields = { webhookId: webhook.id, deliveryId: delivery.id, statusCode, error };
  deps.log.info(fields, 'notice sent');
  return end === undefined ? { next: 'wait', waitSeconds } : { next: 'more', waitSeconds: 0 };
}

interface Attempt {
  readonly statusCode: number | null;
  readonly error: string | null;
}

async function attempt(deps: StepDeps, delivery: DueDelivery): Promise<Attempt> {
  const request = await requestOf(deps, delivery);
  const headers = { ...request.headers, ...(await signatureOf(deps, request)) };
  try {
    const statusCode = await sendHttp({
      ...request,
      headers,
      timeoutMs,
      connect: deps.reach.socket,
    });
    return { statusCode, error: null };
  } catch (error) {
    // What is no Error is nobody's answer: a fault of ours.
    if (!(error instanceof Error)) throw error;
    return { statusCode: null, error: error.message };
  }
}

async function requestOf(deps: StepDeps, delivery: DueDelivery): Promise<WebhookRequest> {
  const { db, sealer, publicUrl } = deps;
  const { notice, webhook } = delivery;
  const { id, type, environment, createdAt, resourceId } = notice;
  const { vendor, url } = webhook;
  const endpoint = { vendor, url, apiKey: openWebhookKey(webhook, sealer), publicUrl };
  if (type === 'sensitive_trace') {
    const traces =
      notice.data === null
        ? await describeTraces(db, sealer, resourceId)
        : { ...notice.data, traces: await describeTestTraces(db, sealer, resourceId) };
    return traceRequest(traces, { createdAt, endpoint });
  }
  const data = notice.data ?? (await describeTransferNotice(db, resourceId, publicUrl));
  return requestFor({ id, type, environment, createdAt, data }, endpoint);
}

/** Over the time of sending and the exact bytes, so that neither can be exchanged. */
async function signatureOf(
  { db, sealer }: StepDeps,
  { signed }: WebhookRequest,
): Promise<Record<string, string>> {
  const key = await currentSigningKey(db, sealer);
  const timestamp = new Date().toISOString();
  const privateKey = sealer.open(key.privateKey, contextOf(key.id));
  return {
    'X-Prequel-Webhook-Timestamp': timestamp,
    'X-Prequel-Webhook-Digest': createHash('sha256').update(signed).digest('hex'),
    'X-Prequel-Webhook-Signature': createSign('RSA-SHA256')
      .update(`${timestamp}.${signed}`)
      .sign(privateKey, 'hex'),
  };
}
