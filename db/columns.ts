import { sql } from 'drizzle-orm';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';
import { pgEnum, timestamp, uuid } from 'drizzle-orm/pg-core';
import {
  actorTypes,
  deliveryStatuses,
  environments,
  modelStatuses,
  transferStatuses,
  transferTriggers,
} from '../domain/statuses.ts';

// The kinds of columns that the tables of the schema files are made of.

export const environment = pgEnum('environment', environments);
export const transferStatus = pgEnum('transfer_status', transferStatuses);
export const modelStatus = pgEnum('model_status', modelStatuses);
export const transferTrigger = pgEnum('transfer_trigger', transferTriggers);
export const deliveryStatus = pgEnum('delivery_status', deliveryStatuses);
export const actorType = pgEnum('actor_type', actorTypes);
export const connectionRole = pgEnum('connection_role', ['source', 'destination']);
export const probeKind = pgEnum('probe_kind', ['source', 'destination', 'model']);
export const nameKind = pgEnum('name_kind', ['table', 'column']);

export const id = () => uuid().primaryKey();
export const instant = () => timestamp({ withTimezone: true, precision: 6, mode: 'date' });
/** As exact text: a Date has milliseconds, a window has microseconds. */
export const exactInstant = () => timestamp({ withTimezone: true, precision: 6, mode: 'string' });
export const createdAt = () => instant().notNull().defaultNow();

export const ofEnvironment = () => environment().notNull();
export const refersTo = (column: () => AnyPgColumn) => uuid().references(column);
export const notDeleted = sql`deleted_at is null`;
