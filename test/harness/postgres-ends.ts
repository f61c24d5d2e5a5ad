import { connect } from 'node:net';
import { once } from 'node:events';
import { Client } from 'pg';
import type {
  Destination,
  LoadClose,
  Reach,
  ReadRequest,
  Receipt,
  Source,
} from '../../connectors/connector.ts';
import { openDestination } from '../../connectors/postgres/destination.ts';
import { openSource } from '../../connectors/postgres/source.ts';
import { landedTableOf } from '../../domain/landed-table.ts';
import type { LoadPlan } from '../../domain/load.ts';
import { ModelDefinition, sharedTableOf, type SharedTable } from '../../domain/model.ts';
import { createTestDatabase, type TestDatabase, type TestDatabaseOptions } from './database.ts';

/** A database of a test server and who logs in. */
export interface TestPlace {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly name: string;
}

/** A way out without a guard, to servers of the tests. */
export const directReach: Reach = {
  socket: async ({ host, port }) => {
    const socket = connect({ host, port, noDelay: true });
    await once(socket, 'connect');
    return socket;
  },
};

export function settingsOf(place: TestPlace) {
  return {
    host: place.host,
    port: place.port,
    database: place.name,
    password_auth: { username: place.user, password: place.password },
    disable_ssl: true,
    connection_timeout_in_seconds: 10,
  };
}

/** A plain client beside the connector, with instants as the server prints them in UTC. */
export async function connectAs(place: TestPlace): Promise<Client> {
  const { host, port, user, password, name: database } = place;
  const client = new Client({ host, port, user, password, database });
  await client.connect();
  await client.query(
    `set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set extra_float_digits = 3`,
  );
  return client;
}

export const going = new AbortController().signal;

/** A model over the table `source_table`, one column per entry: name, logical type, and what it is. */
export function modelOf(
  columns: readonly (readonly [name: string, type: string, role?: 'key' | 'last_modified'])[],
  more: Partial<ModelDefinition> = {},
): SharedTable {
  return sharedTableOf(
    ModelDefinition.parse({
      model_name: 'things',
      source_table: 'things',
      organization_column: 'tenant',
      columns: columns.map(([name, type, role]) => ({
        name_in_source: name,
        name_in_destination: name,
        data_type: type,
        is_primary_key: role === 'key',
        is_last_modified: role === 'last_modified',
      })),
      ...more,
    }),
  );
}

/** Two databases, a plain client in each, and the verbs of the connector with their usual arguments. */
export class Ends implements AsyncDisposable {
  readonly from: TestDatabase;
  readonly to: TestDatabase;
  readonly source: Client;
  readonly destination: Client;

  private constructor(
    places: { from: TestDatabase; to: TestDatabase },
    clients: readonly [Client, Client],
  ) {
    this.from = places.from;
    this.to = places.to;
    [this.source, this.destination] = clients;
  }

  static async create(options: TestDatabaseOptions = {}): Promise<Ends> {
    const places = {
      from: await createTestDatabase(options),
      to: await createTestDatabase(options),
    };
    return new Ends(places, [await connectAs(places.from), await connectAs(places.to)]);
  }

  openSource(more: object = {}): Source {
    return openSource({ ...settingsOf(this.from), ...more }, directReach);
  }

  openDestination(more: object = {}): Destination {
    return openDestination({ ...settingsOf(this.to), schema: 'landed', ...more }, directReach);
  }

  request(table: SharedTable, changed: Partial<ReadRequest> = {}): ReadRequest {
    return {
      relation: table.relation,
      columns: table.columns,
      key: table.key,
      lastModified: table.lastModified,
      tenant: { column: table.tenantColumn, id: 'acme' },
      window: { after: undefined, upTo: undefined },
      resumeAfter: undefined,
      deltaAfter: undefined,
      encoding: 'copy_text_messages',
      batchBytesMax: 2 ** 20,
      batchRowsMax: 1000,
      position: undefined,
      ...changed,
    };
  }

  plan(table: SharedTable, changed: Partial<LoadPlan> = {}): LoadPlan {
    return {
      owner: 'prod/destination',
      modelId: table.modelName,
      modelName: table.modelName,
      revisionId: 'revision',
      transferId: 'transfer',
      table: landedTableOf(table),
      wireColumns: table.columns.map(({ nameInDestination }) => nameInDestination),
      lastModified: table.lastModified.nameInDestination,
      loadIdentity: 'identity',
      mode: 'replace',
      window: { after: undefined, upTo: undefined },
      fence: '2026-06-01 00:00:00+00',
      continues: false,
      movesWatermark: false,
      isWhole: false,
      encoding: 'copy_text_messages',
      epoch: { startedAtMicros: 1, step: 1, attempt: 1 },
      ...changed,
    };
  }

  close(changed: Partial<LoadClose> = {}): LoadClose {
    const fence = '2026-06-01 00:00:00+00';
    return { watermark: fence, fence, isFullRefresh: true, rowsTransferred: 0, ...changed };
  }

  /** One load from its opening to its end. */
  async land(
    table: SharedTable,
    plan: Partial<LoadPlan> = {},
    request: Partial<ReadRequest> = {},
  ): Promise<Receipt> {
    await using source = this.openSource();
    await using destination = this.openDestination();
    const load = await destination.open(this.plan(table, plan), going);
    const encoding = plan.encoding ?? 'copy_text_messages';
    for await (const batch of source.read(this.request(table, { encoding, ...request }), going)) {
      await load.write(batch, going);
    }
    return await load.finish(this.close(), going);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.source.end(), this.destination.end()]);
    await Promise.all([this.from.drop(), this.to.drop()]);
  }
}

/** The order of one transfer's steps after another: later numbers win. */
export function epochOf(startedAtMicros: number, attempt = 1, step = 1) {
  return { startedAtMicros, step, attempt };
}
