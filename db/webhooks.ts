import { and, desc, eq, getColumns, inArray, isNull, sql, type SQL } from 'drizzle-orm';
import { Failure } from '../domain/failure.ts';
import type { NoticeType, WebhookKind, WebhookVendor } from '../domain/notices.ts';
import type { DeliveryStatus, Environment } from '../domain/statuses.ts';
import type { Sealer } from '../lib/seal.ts';
import { isUuid, uuidv7 } from '../lib/uuid.ts';
import { recordAudit, type Audit } from './audit.ts';
import type { Db } from './database.ts';
import { insertNotice } from './notices.ts';
import { deliveries, deliveryAttempts, notices, webhooks } from './notice-schema.ts';
import { keyset, pageOf, type Page, type PageRequest } from './paging.ts';

const { deletedAt: _deletedAt, apiKey: _apiKey, ...columns } = getColumns(webhooks);

/** How each kind is called in the audit log and in messages. */
const kinds = {
  webhook: { event: 'WEBHOOK', words: 'webhook' },
  trace: { event: 'SENSITIVE_TRACE_ENDPOINT', words: 'sensitive trace endpoint' },
} as const;

export type WebhookRecord = Omit<typeof webhooks.$inferSelect, 'deletedAt' | 'apiKey'>;

interface Of {
  readonly environment: Environment;
  readonly id: string;
  /** A webhook unless told. */
  readonly kind?: WebhookKind | undefined;
}

export interface WebhookWrite {
  readonly name?: string | undefined;
  readonly url?: string | undefined;
  readonly events?: readonly NoticeType[] | undefined;
  readonly isEnabled?: boolean | undefined;
  /** Undefined: it stays. */
  readonly apiKey?: string | undefined;
}

export async function insertWebhook(
  db: Db,
  input: {
    environment: Environment;
    kind?: WebhookKind | undefined;
    vendor: WebhookVendor;
    name: string;
    url: string;
    events: readonly NoticeType[];
    isEnabled: boolean;
    apiKey: string | undefined;
    sealer: Sealer;
    audit: Audit<WebhookRecord>;
  },
): Promise<WebhookRecord> {
  const { environment, kind = 'webhook', vendor, name, url, events, isEnabled, audit } = input;
  const id = uuidv7();
  return await db.transaction(async (tx) => {
    const apiKey = sealed(input, id);
    await tx
      .insert(webhooks)
      .values({ id, environment, kind, vendor, name, url, events: [...events], isEnabled, apiKey });
    const webhook = await getWebhook(tx, { environment, id, kind });
    await recordAudit(tx, {
      environment,
      eventType: `${kinds[kind].event}_ADD`,
      resourceId: id,
      actor: audit.actor,
      object: audit.present(webhook),
    });
    return webhook;
  });
}

/** @throws Failure `not_found` */
export async function getWebhook(db: Db, input: Of): Promise<WebhookRecord> {
  const [webhook] = await db.select(columns).from(webhooks).where(isLive(input));
  const { words } = kinds[input.kind ?? 'webhook'];
  if (!webhook) throw new Failure('not_found', `There is no ${words} ${input.id}.`);
  return webhook;
}

export async function listWebhooks(
  db: Db,
  input: { environment: Environment; page: PageRequest; kind?: WebhookKind | undefined },
): Promise<Page<WebhookRecord>> {
  const { environment, page, kind = 'webhook' } = input;
  const position = keyset(page, { at: webhooks.createdAt, id: webhooks.id });
  const rows = await db
    .select({ ...columns, sortValue: position.sortValue })
    .from(webhooks)
    .where(
      and(
        eq(webhooks.environment, environment),
        eq(webhooks.kind, kind),
        isNull(webhooks.deletedAt),
        position.after,
      ),
    )
    .orderBy(...position.orderBy)
    .limit(position.limit);
  return pageOf(rows, page);
}

/** @throws Failure `not_found` */
export async function updateWebhook(
  db: Db,
  input: Of & { change: WebhookWrite; sealer: Sealer; audit: Audit<WebhookRecord> },
): Promise<WebhookRecord> {
  const { change, audit, sealer, ...of } = input;
  const { name, url, events, isEnabled, apiKey } = change;
  return await db.transaction(async (tx) => {
    const before = await getWebhook(tx, of);
    await tx
      .update(webhooks)
      .set({
        ...(name !== undefined && { name }),
        ...(url !== undefined && { url }),
        ...(events !== undefined && { events: [...events] }),
        ...(isEnabled !== undefined && { isEnabled }),
        ...(apiKey !== undefined && { apiKey: sealed({ apiKey, sealer }, before.id) }),
        updatedAt: sql`now()`,
      })
      .where(isLive(of));
    const webhook = await getWebhook(tx, of);
    await recordAudit(tx, {
      environment: of.environment,
      eventType: `${kinds[before.kind].event}_UPDATE`,
      resourceId: before.id,
      actor: audit.actor,
      object: audit.present(webhook),
      previousObject: audit.present(before),
    });
    return webhook;
  });
}

/** What it has not been told yet, it is not told any more. @throws Failure `not_found` */
export async function deleteWebhook(
  db: Db,
  input: Of & { audit: Audit<WebhookRecord> },
): Promise<void> {
  const { audit, ...of } = input;
  await db.transaction(async (tx) => {
    const before = await getWebhook(tx, of);
    await tx
      .update(webhooks)
      .set({ deletedAt: sql`now()` })
      .where(isLive(of));
    await recordAudit(tx, {
      environment: of.environment,
      eventType: `${kinds[before.kind].event}_DELETE`,
      resourceId: before.id,
      actor: audit.actor,
      previousObject: audit.present(before),
    });
  });
}

/** The key of its endpoint, for one delivery. */
export function openWebhookKey(
  webhook: { readonly id: string; readonly apiKey: string | null },
  sealer: Sealer,
): string | undefined {
  return webhook.apiKey === null ? undefined : sealer.open(webhook.apiKey, contextOf(webhook.id));
}

function sealed(
  { apiKey, sealer }: { apiKey: string | undefined; sealer: Sealer },
  id: string,
): string | null {
  return apiKey === undefined ? null : sealer.seal(apiKey, contextOf(id));
}

/** Where the key of an endpoint opens. */
export function contextOf(id: string): string {
  return `webhooks/${id}/api_key`;
}

export interface DeliveryRecord {
  readonly id: string;
  readonly noticeId: string;
  readonly type: NoticeType;
  readonly resourceId: string;
  readonly status: DeliveryStatus;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
  readonly attempts: readonly (typeof deliveryAttempts.$inferSelect)[];
}

/** What a webhook was told, with every attempt. The caller has checked that the webhook is in its scope. */
export async function listDeliveries(
  db: Db,
  { webhookId, page }: { webhookId: string; page: PageRequest },
): Promise<Page<DeliveryRecord>> {
  const position = keyset(page, { at: deliveries.createdAt, id: deliveries.id });
  const rows = await db
    .select({
      id: deliveries.id,
      noticeId: deliveries.noticeId,
      type: notices.type,
      resourceId: deliveries.resourceId,
      status: deliveries.status,
      createdAt: deliveries.createdAt,
      endedAt: deliveries.endedAt,
      sortValue: position.sortValue,
    })
    .from(deliveries)
    .innerJoin(notices, eq(notices.id, deliveries.noticeId))
    .where(and(eq(deliveries.webhookId, webhookId), position.after))
    .orderBy(...position.orderBy)
    .limit(position.limit);
  const found = pageOf(rows, page);
  const ids = found.items.map(({ id }) => id);
  const tried =
    ids.length === 0
      ? []
      : await db
          .select()
          .from(deliveryAttempts)
          .where(inArray(deliveryAttempts.deliveryId, ids))
          .orderBy(desc(deliveryAttempts.id));
  const attemptsOf = Map.groupBy(tried, ({ deliveryId }) => deliveryId);
  return {
    ...found,
    items: found.items.map((row) => ({ ...row, attempts: attemptsOf.get(row.id) ?? [] })),
  };
}

/** The same event once more, as a delivery of its own. @throws Failure `not_found` */
export async function redeliver(
  db: Db,
  { webhookId, deliveryId }: { webhookId: string; deliveryId: string },
): Promise<string> {
  const [old] = await db
    .select({ noticeId: deliveries.noticeId, resourceId: deliveries.resourceId })
    .from(deliveries)
    .where(
      and(
        isUuid(deliveryId) ? eq(deliveries.id, deliveryId) : sql`false`,
        eq(deliveries.webhookId, webhookId),
      ),
    );
  if (!old) throw new Failure('not_found', `There is no delivery ${deliveryId} of this webhook.`);
  const id = uuidv7();
  await db.insert(deliveries).values({ id, webhookId, ...old, status: 'PENDING' });
  return id;
}

/** An event that tells of the webhook itself, to see whether it arrives. @returns the delivery's id */
export async function insertTestNotice(
  db: Db,
  {
    environment,
    webhook,
    data,
  }: { environment: Environment; webhook: WebhookRecord; data: object },
): Promise<string> {
  const { id } = webhook;
  const shown = JSON.parse(JSON.stringify({ webhook: data })) as Record<string, never>;
  const [deliveryId = ''] = await insertNotice(db, {
    environment,
    type: 'webhook.test',
    resourceId: id,
    data: shown,
    webhookIds: [id],
  });
  return deliveryId;
}

function isLive({ environment, id, kind = 'webhook' }: Of): SQL | undefined {
  return and(
    isUuid(id) ? eq(webhooks.id, id) : sql`false`,
    eq(webhooks.environment, environment),
    eq(webhooks.kind, kind),
    isNull(webhooks.deletedAt),
  );
}
