import type { InstantText } from '../../domain/instant.ts';
import type { Encoding, Fence } from '../../domain/load.ts';
import type { Relation, SharedTable } from '../../domain/model.ts';
import type {
  Batch,
  ComparedRows,
  Finding,
  Reach,
  ReadRequest,
  Sample,
  SampleAsk,
  ShownRead,
  Source,
  SourceColumn,
  Tenant,
  Tunnel,
  UnstampedRows,
} from '../connector.ts';
import { tunnelOf } from '../fields.ts';
import { columnOf, findTable, type CatalogTable } from './catalog.ts';
import { readKeyAndComments } from './catalog-key.ts';
import { checkSource } from './check.ts';
import { PostgresComparedRows, sourceRows } from './compared-rows.ts';
import { SourceSettings } from './declaration.ts';
import { countUnstamped } from './count-unstamped.ts';
import { explainRead } from './explain.ts';
import { takeFence } from './fence.ts';
import { adviseIndex } from './index-advice.ts';
import { LazySession } from './lazy-session.ts';
import { describeQuery } from './query.ts';
import { readableEncodings } from './read-statement.ts';
import { readRows } from './read.ts';
import { sampleRows } from './sample.ts';
import type { Session } from './session.ts';

/** Nothing is connected before the first verb. */
export function openSource(settings: unknown, reach: Reach): PostgresSource {
  return new PostgresSource(SourceSettings.parse(settings), tunnelOf(settings), reach);
}

interface Known {
  readonly session: Session;
  readonly relation: Relation;
  readonly table: CatalogTable;
}

class PostgresSource implements Source {
  private readonly settings: SourceSettings;
  private readonly session: LazySession;
  private known: Known | undefined;

  constructor(settings: SourceSettings, tunnel: Tunnel | undefined, reach: Reach) {
    this.settings = settings;
    this.session = new LazySession({ settings, tunnel, side: 'source', reach });
  }

  check(): Promise<Finding[]> {
    return checkSource(this.session, this.settings);
  }

  async describe(relation: Relation): Promise<SourceColumn[]> {
    const { oid, columns } = await this.find(relation);
    const more = await readKeyAndComments(await this.session.get(), oid);
    return columns.map(({ name, type, fits, nullable }) => ({
      ...{ name, type, fits, nullable },
      ...more.get(name),
    }));
  }

  async encodings(table: SharedTable): Promise<Encoding[]> {
    return readableEncodings(await this.find(table.relation), table);
  }

  async advise(table: SharedTable): Promise<Finding[]> {
    return adviseIndex(await this.session.get(), await this.find(table.relation), table);
  }

  async explain(request: ReadRequest, { withPlan }: { withPlan: boolean }): Promise<ShownRead> {
    const table = await this.find(request.relation);
    return explainRead(await this.session.get(), { table, request, withPlan });
  }

  async sample(ask: SampleAsk): Promise<Sample> {
    const table = await this.find(ask.table.relation);
    return sampleRows(await this.session.get(), table, ask);
  }

  async countUnstamped(rows: UnstampedRows, signal: AbortSignal): Promise<number> {
    const table = await this.find(rows.relation);
    const session = await this.session.get();
    using _ = session.stopOn(signal);
    return await countUnstamped(session, table, rows);
  }

  async fence(table: SharedTable, previous: InstantText | undefined): Promise<Fence> {
    const found = await this.find(table.relation);
    const lastModified = columnOf(found, table.lastModified.nameInSource).read;
    return takeFence(await this.session.get(), { table: found, lastModified, previous });
  }

  async *read(request: ReadRequest, signal: AbortSignal): AsyncGenerator<Batch> {
    const session = await this.session.get();
    using _ = session.stopOn(signal);
    let isComplete = false;
    try {
      yield* readRows(session, await this.find(request.relation), request);
      isComplete = true;
    } finally {
      // Left early or failed: the connection stands in the middle of an answer and serves nothing else.
      if (!isComplete) session.stop(undefined);
    }
  }

  async compare(table: SharedTable, tenant: Tenant): Promise<ComparedRows> {
    const rows = sourceRows(await this.find(table.relation), table, tenant);
    return new PostgresComparedRows(this.session, rows);
  }

  /** Once for each login: planning asks for the same table several times. */
  private async find(relation: Relation): Promise<CatalogTable> {
    const session = await this.session.get();
    const { known } = this;
    if (known?.session === session && known.relation === relation) return known.table;
    const schema = relation.schema ?? this.settings.schema;
    const table =
      relation.query === undefined
        ? await findTable(session, { ...relation, schema })
        : await describeQuery(session, relation.query);
    this.known = { session, relation, table };
    return table;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session[Symbol.asyncDispose]();
  }
}
