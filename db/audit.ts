import { noticeOf } from '../domain/notices.ts';
import type { Actor, Environment } from '../domain/statuses.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import { uuidv7 } from '../lib/uuid.ts';
import type { Db } from './database.ts';
import { recordNotice } from './notices.ts';
import { auditLog } from './access-schema.ts';

type Written = 'ADD' | 'UPDATE' | 'DELETE';
type Noun =
  | 'SENSITIVE_TRACE_ENDPOINT'
  | 'WEBHOOK'
  | 'RECIPIENT_SOURCE_CREDENTIAL'
  | 'SOURCE'
  | 'MODEL'
  | 'PRODUCT'
  | 'RECIPIENT'
  | 'DESTINATION';

export type AuditEvent =
  | `${Noun}_${Written}`
  | 'API_KEY_ADD'
  | 'API_KEY_DELETE'
  | 'DESTINATION_PAUSE_ALL'
  | 'DESTINATION_ENABLE_ALL'
  | 'SETTINGS_UPDATE'
  | `MAGIC_LINK_${'CREATE' | 'DELETE' | 'USE'}`
  | 'TRANSFER_TRIGGER'
  | 'TRANSFER_CANCELED';

/** Who writes, and how the record looks in the API: so it is kept, without secrets. */
export interface Audit<Item> {
  readonly actor: Actor;
  readonly present: (item: Item) => JsonObject;
}

export interface AuditEntry {
  readonly environment: Environment;
  readonly eventType: AuditEvent;
  readonly resourceId: string;
  readonly actor: Actor;
  /** Nothing when the resource was deleted. */
  readonly object?: JsonObject | undefined;
  /** Nothing when the resource was created. */
  readonly previousObject?: JsonObject | undefined;
}

/** Adds one line to the audit log. Belongs into the transaction of the write that it tells of. */
export async function recordAudit(db: Db, entry: AuditEntry): Promise<void> {
  await noticeWrite(db, entry);
  await db.insert(auditLog).values({
    id: uuidv7(),
    environment: entry.environment,
    eventType: entry.eventType,
    resourceId: entry.resourceId,
    actorId: entry.actor.id,
    actorType: entry.actor.type,
    object: entry.object ?? null,
    previousObject: entry.previousObject ?? null,
  });
}

/** Whoever listens to such writes is told of the object as it is now, or was last. */
async function noticeWrite(db: Db, entry: AuditEntry): Promise<void> {
  const notice = noticeOf(entry.eventType);
  if (notice === undefined) return;
  const { environment, resourceId } = entry;
  const data = { [notice.noun]: entry.object ?? entry.previousObject };
  await recordNotice(db, { environment, type: notice.type, resourceId, data });
}
