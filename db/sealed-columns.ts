import { sql } from 'drizzle-orm';
import type { AnyPgColumn, AnyPgTable } from 'drizzle-orm/pg-core';
import type { Sealer } from '../lib/seal.ts';
import { sealContext as ofConnection } from './connections.ts';
import { sourceCredentials } from './credentials-schema.ts';
import type { Db } from './database.ts';
import { sealContext as ofKeyPair } from './key-pairs.ts';
import { keyPairs } from './keys-schema.ts';
import { sensitiveTraces, signingKeys, webhooks } from './notice-schema.ts';
import { connections } from './schema.ts';
import { contextOf as ofSigningKey } from './signing-keys.ts';
import { contextOf as ofCredential } from './source-credentials.ts';
import { contextOf as ofTrace } from './traces.ts';
import { contextOf as ofWebhook } from './webhooks.ts';

interface SealedColumn {
  readonly table: AnyPgTable;
  readonly column: AnyPgColumn;
  readonly id: AnyPgColumn;
  readonly contextOf: (id: string) => string;
}

/** Every column that holds sealed values. One that is missing here is lost when its key goes. */
const sealedColumns: readonly SealedColumn[] = [
  {
    table: sourceCredentials,
    column: sourceCredentials.password,
    id: sourceCredentials.id,
    contextOf: ofCredential,
  },
  { table: connections, column: connections.secrets, id: connections.id, contextOf: ofConnection },
  { table: keyPairs, column: keyPairs.privateKey, id: keyPairs.id, contextOf: ofKeyPair },
  {
    table: sensitiveTraces,
    column: sensitiveTraces.trace,
    id: sensitiveTraces.id,
    contextOf: ofTrace,
  },
  { table: webhooks, column: webhooks.apiKey, id: webhooks.id, contextOf: ofWebhook },
  {
    table: signingKeys,
    column: signingKeys.privateKey,
    id: signingKeys.id,
    contextOf: ofSigningKey,
  },
];

/** Wraps the data keys of all secrets with the sealer's first key, and returns how many it changed. */
export async function rewrapSecrets(db: Db, sealer: Sealer): Promise<number> {
  let changed = 0;
  for (const sealed of sealedColumns) changed += await rewrapColumn(db, sealer, sealed);
  return changed;
}

async function rewrapColumn(db: Db, sealer: Sealer, sealed: SealedColumn): Promise<number> {
  const { table, column, id, contextOf } = sealed;
  const keyId = sealer.keyIdOf(sealer.seal('', 'rotation'));
  const name = sql.identifier(column.name);
  let changed = 0;
  for (;;) {
    const stale = await db.execute<{ id: string; sealed: string }>(/*sql*/ sql`
      select ${id} as id, ${column} as sealed from ${table}
      where split_part(${column}, '.', 2) <> ${keyId} limit 100`);
    if (stale.rows.length === 0) return changed;
    for (const row of stale.rows) {
      const rewrapped = sealer.rewrap(row.sealed, contextOf(row.id));
      await db.execute(
        /*sql*/ sql`update ${table} set ${name} = ${rewrapped} where ${id} = ${row.id}`,
      );
    }
    changed += stale.rows.length;
  }
}
