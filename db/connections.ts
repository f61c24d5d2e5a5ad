import { and, eq, isNotNull, sql } from 'drizzle-orm';
import { Failure } from '../domain/failure.ts';
import { keyPlaces } from '../domain/key-places.ts';
import type { Environment } from '../domain/statuses.ts';
import { deepMerge, isJsonObject, type JsonObject } from '../lib/deep-merge.ts';
import { must } from '../lib/must.ts';
import type { Sealer } from '../lib/seal.ts';
import { uuidv7 } from '../lib/uuid.ts';
import type { Db } from './database.ts';
import { openPrivateKey } from './key-pairs.ts';
import { connections } from './schema.ts';

export type ConnectionRole = 'source' | 'destination';

/** A vendor block taken apart: what may be shown, and what may not. */
export interface ConnectionInput {
  readonly vendor: string;
  /** Without secrets. The object a secret sits in is there, be it empty: it says where a secret belongs. */
  readonly settings: JsonObject;
  /** Same shape, secrets only. */
  readonly secrets: JsonObject;
  readonly sealer: Sealer;
}

/** The next revision of a stored connection: its vendor stays. */
export interface ConnectionChange {
  /** The revision that was read and merged with; another newer one is a conflict. */
  readonly basedOn: string;
  /** Merged and whole. */
  readonly settings: JsonObject;
  /** Laid over the stored ones. A stored secret whose object has gone from the settings is dropped. */
  readonly secrets: 'keep' | JsonObject;
  readonly sealer: Sealer;
}

interface Placed {
  readonly environment: Environment;
  readonly role: ConnectionRole;
  /** For one that is only tested, never saved. */
  readonly expiresAt?: Date | undefined;
}

export interface OpenedConnection {
  readonly vendor: string;
  readonly role: ConnectionRole;
  /** Settings and secrets together, as the connector wants them. Never to be logged or returned. */
  readonly settings: JsonObject;
}

/** Where a secret opens. */
export const sealContext = (id: string) => `connections/${id}/secrets`;

/** Stores a new connection with its secrets sealed, and returns its id. */
export async function insertConnection(db: Db, input: ConnectionInput & Placed): Promise<string> {
  const id = uuidv7();
  await db.insert(connections).values({
    id,
    environment: input.environment,
    role: input.role,
    vendor: input.vendor,
    settings: input.settings,
    secrets: input.sealer.seal(JSON.stringify(input.secrets), sealContext(id)),
    secretPaths: leafPaths(input.secrets),
    expiresAt: input.expiresAt ?? null,
  });
  return id;
}

/**
 * Stores a new revision that keeps the stored secrets it does not replace, and returns its id.
 * @throws Failure `not_found`
 */
export async function reviseConnection(db: Db, input: ConnectionChange & Placed): Promise<string> {
  const [stored] = await db
    .select()
    .from(connections)
    .where(
      and(
        eq(connections.id, input.basedOn),
        eq(connections.environment, input.environment),
        eq(connections.role, input.role),
      ),
    );
  if (!stored) throw new Failure('not_found', 'The stored connection is not there.');
  const kept = secretsOf(stored, input.sealer);
  const secrets = input.secrets === 'keep' ? kept : deepMerge(kept, input.secrets);
  return await insertConnection(db, {
    ...input,
    vendor: stored.vendor,
    secrets: prune(secrets, input.settings),
  });
}

/**
 * A connection with its secrets in the clear, for one call of an activity.
 * @throws Failure `not_found` when it is not there or, unsaved, has lapsed.
 */
export async function openConnection(
  db: Db,
  sealer: Sealer,
  id: string,
): Promise<OpenedConnection> {
  const [stored] = await db
    .select()
    .from(connections)
    .where(
      and(
        eq(connections.id, id),
        sql`(${connections.expiresAt} is null or ${connections.expiresAt} > now())`,
      ),
    );
  if (!stored) throw new Failure('not_found', 'The connection is not there any more.');
  const settings = deepMerge(stored.settings, secretsOf(stored, sealer));
  return {
    vendor: stored.vendor,
    role: stored.role,
    settings: deepMerge(settings, await privateKeysOf(db, sealer, settings)),
  };
}

/** The private halves of our key pairs whose public ones stand in the settings, each beside its own. */
async function privateKeysOf(db: Db, sealer: Sealer, settings: JsonObject): Promise<JsonObject> {
  const found: [string, JsonObject][] = [];
  for (const { object, publicKey, privateKey } of keyPlaces) {
    const below = settings[object];
    const named = isJsonObject(below) ? below[publicKey] : undefined;
    if (typeof named !== 'string') continue;
    const opened = await openPrivateKey(db, sealer, named);
    if (opened !== undefined) found.push([object, { [privateKey]: opened }]);
  }
  return Object.fromEntries(found);
}

/** Removes unsaved connections that have lapsed, unless a probe still names them. Returns how many. */
export async function purgeLapsedConnections(db: Db): Promise<number> {
  const result = await db
    .delete(connections)
    .where(
      and(
        isNotNull(connections.expiresAt),
        sql`${connections.expiresAt} < now()`,
        sql`not exists (select from probes where probes.connection_id = ${connections.id})`,
      ),
    );
  return result.rowCount ?? 0;
}

function secretsOf(stored: { id: string; secrets: string }, sealer: Sealer): JsonObject {
  const secrets: unknown = JSON.parse(sealer.open(stored.secrets, sealContext(stored.id)));
  return must(isJsonObject(secrets) ? secrets : undefined, 'secrets as an object');
}

/** Secrets whose place is gone belong to a way of logging in that was given up. */
function prune(secrets: JsonObject, settings: JsonObject): JsonObject {
  const kept: [string, JsonObject[string]][] = [];
  for (const [key, value] of Object.entries(secrets)) {
    if (!isJsonObject(value)) kept.push([key, value]);
    else if (isJsonObject(settings[key])) kept.push([key, prune(value, settings[key])]);
  }
  return Object.fromEntries(kept);
}

function leafPaths(secrets: JsonObject, prefix = ''): string[] {
  return Object.entries(secrets).flatMap(([key, value]) =>
    isJsonObject(value) ? leafPaths(value, `${prefix}${key}.`) : [`${prefix}${key}`],
  );
}
