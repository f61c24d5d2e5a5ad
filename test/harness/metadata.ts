import { randomUUID } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import { closeDatabase, createDatabase } from '../../db/database.ts';
import type { DestinationOptions, DestinationRecord } from '../../db/destinations.ts';
import { insertDestination } from '../../db/destinations.ts';
import { applyMigrations } from '../../db/migrate.ts';
import type { ModelRecord } from '../../db/models.ts';
import { insertModel } from '../../db/models.ts';
import { insertProduct } from '../../db/products.ts';
import type { RecipientRecord } from '../../db/recipients.ts';
import { insertRecipient } from '../../db/recipients.ts';
import type { SourceRecord } from '../../db/sources.ts';
import { insertSource } from '../../db/sources.ts';
import { ModelDefinition } from '../../domain/model.ts';
import type { Actor, Environment } from '../../domain/statuses.ts';
import type { JsonObject } from '../../lib/deep-merge.ts';
import { createSealer } from '../../lib/seal.ts';
import { createTestDatabase } from './database.ts';

/** A database of ours with all migrations, for one test file. */
export interface Metadata extends AsyncDisposable {
  readonly db: Database;
  readonly url: string;
}

export async function createMetadata(): Promise<Metadata> {
  const build = async (url: string) => void (await applyMigrations(url));
  const database = await createTestDatabase({ template: { name: 'waybill_metadata', build } });
  const db = createDatabase(database.url);
  const dispose = async () => {
    await closeDatabase(db);
    await database.drop();
  };
  return { db, url: database.url, [Symbol.asyncDispose]: dispose };
}

export const testSealer = createSealer([{ id: 'test', key: Buffer.alloc(32, 7) }]);
export const tester: Actor = { id: 'tester', type: 'api_key' };

/** An audit that keeps the record as it is. */
export const testAudit = {
  actor: tester,
  present: (item: object) => JSON.parse(JSON.stringify(item)) as JsonObject,
};

/** Short, and never the same twice. */
export function unique(prefix: string): string {
  return `${prefix}_${randomUUID().slice(0, 8)}`;
}

const connection = {
  vendor: 'postgres',
  settings: {
    host: 'db.test',
    port: 5432,
    database: 'app',
    schema: 'public',
    auth_method: 'password_auth',
    password_auth: { username: 'someone' },
    use_ssh_tunnel: false,
    disable_ssl: false,
    connection_timeout_in_seconds: 10,
  },
  secrets: { password_auth: { password: 'hush' } },
  sealer: testSealer,
};

export async function makeSource(
  db: Database,
  input: { environment?: Environment; name?: string } = {},
): Promise<SourceRecord> {
  const { environment = 'prod', name = unique('source') } = input;
  return await insertSource(db, { environment, name, connection, audit: testAudit });
}

/** A model that passes the rules, under a name of its own. */
export function modelDefinition(changes: Partial<ModelDefinition> = {}): ModelDefinition {
  return ModelDefinition.parse({
    model_name: unique('invoices'),
    columns: [
      {
        name_in_source: 'nr',
        name_in_destination: 'nr',
        data_type: 'bigint',
        is_primary_key: true,
      },
      {
        name_in_source: 'changed_at',
        name_in_destination: 'changed_at',
        data_type: 'timestamp',
        is_last_modified: true,
      },
      { name_in_source: 'net', name_in_destination: 'net', data_type: 'decimal' },
    ],
    source_table: 'billing.invoice_rows',
    organization_column: 'account_id',
    ...changes,
  });
}

export async function makeModel(
  db: Database,
  source: SourceRecord,
  changes: Partial<ModelDefinition> = {},
): Promise<ModelRecord> {
  const definition = modelDefinition({ source_id: source.id, ...changes });
  const { environment } = source;
  return (await insertModel(db, { environment, definition, audit: testAudit })).model;
}

export async function makeRecipient(
  db: Database,
  input: { environment?: Environment; idInProviderSystem?: string; products?: string[] } = {},
): Promise<RecipientRecord> {
  return await insertRecipient(db, {
    environment: 'prod',
    name: unique('recipient'),
    idInProviderSystem: unique('tenant'),
    ...input,
    audit: testAudit,
  });
}

export async function makeDestination(
  db: Database,
  recipient: RecipientRecord,
  input: DestinationOptions & { place?: string } = {},
): Promise<DestinationRecord> {
  return await insertDestination(db, {
    environment: recipient.environment,
    recipientId: recipient.id,
    place: unique('place'),
    connection,
    ...input,
    name: input.name ?? unique('destination'),
    audit: testAudit,
  });
}

/** A source, a model, a product of it alone, a recipient of that and its destination. */
export async function makeVendor(db: Database, environment: Environment = 'prod') {
  const source = await makeSource(db, { environment });
  const model = await makeModel(db, source);
  const product = await insertProduct(db, {
    environment,
    name: unique('product'),
    models: [model.name],
    audit: testAudit,
  });
  const recipient = await makeRecipient(db, { environment, products: [product.name] });
  const destination = await makeDestination(db, recipient);
  return { environment, source, model, product, recipient, destination };
}
