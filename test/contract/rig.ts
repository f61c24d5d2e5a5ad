import { randomUUID } from 'node:crypto';
import type {
  Batch,
  ConnectorDeclaration,
  ConnectorRoles,
  Destination,
  Load,
  LoadClose,
  Reach,
  ReadRequest,
  Receipt,
  Source,
} from '../../connectors/connector.ts';
import type { LogicalType } from '../../domain/data-type.ts';
import { planEvolution } from '../../domain/evolution.ts';
import { landedTableOf } from '../../domain/landed-table.ts';
import type { LandedTable, LoadPlan } from '../../domain/load.ts';
import {
  ModelDefinition,
  sharedTableOf,
  type Relation,
  type SharedTable,
} from '../../domain/model.ts';
import { must } from '../../lib/must.ts';

/** Values as canonical text, by column. */
export type TextRow = Readonly<Record<string, string | null>>;

export interface SeedTable {
  readonly relation: Relation;
  readonly columns: readonly { readonly name: string; readonly type: LogicalType }[];
  readonly rows: readonly TextRow[];
}

/** A connector and a place for each of its ends, both empty. Each test takes tables of its own there. */
export interface ConnectorUnderTest extends AsyncDisposable {
  readonly declaration: ConnectorDeclaration;
  readonly reach: Reach;
  /** Schema of the source tables; undefined: the connection's own. */
  readonly sourceSchema: string | undefined;
  readonly source: EndUnderTest;
  readonly destination: EndUnderTest;
  /**
   * Makes a source table hold exactly these rows, in one transaction; the first call for it creates it,
   * without a key, so that keys may be null or repeated.
   */
  seed(table: SeedTable): Promise<void>;
  /** All rows of a destination table, undefined where there is none. */
  readBack(table: string): Promise<TextRow[] | undefined>;
}

export interface EndUnderTest {
  readonly settings: unknown;
  /** The same place with a password that is wrong. */
  readonly refused: unknown;
  /** A place where nobody answers. */
  readonly unreachable: unknown;
}

export const tenant = 'acme';
export const going = new AbortController().signal;
export const fenceAt = '2026-06-01 00:00:00+00';

export interface RigColumn {
  readonly name: string;
  readonly type: LogicalType;
  readonly isKey?: boolean;
}

const plainColumns: readonly RigColumn[] = [
  { name: 'id', type: 'bigint', isKey: true },
  { name: 'note', type: 'string' },
];

/** One model of one test: a source table, the table it lands in, and the verbs with their usual arguments. */
export class Rig {
  readonly system: ConnectorUnderTest;
  readonly table: SharedTable;
  readonly landed: LandedTable;
  readonly relation: Relation;
  readonly modelId = randomUUID();
  private readonly roles: ConnectorRoles;
  private readonly seedColumns: SeedTable['columns'];
  private readonly owner = `prod/${randomUUID()}`;
  private readonly revisionId = randomUUID();
  private readonly firstTransferId = randomUUID();

  private constructor(
    system: ConnectorUnderTest,
    roles: ConnectorRoles,
    columns: readonly RigColumn[],
  ) {
    const name = `t_${randomUUID().replaceAll('-', '')}`;
    const definition = ModelDefinition.parse({
      model_name: `model_${name}`,
      destination_table_name: name,
      source_table: [system.sourceSchema, `from_${name}`].filter(Boolean).join('.'),
      organization_column: 'tenant',
      columns: [
        {
          name_in_source: 'changed',
          name_in_destination: 'changed_at',
          data_type: 'timestamp',
          is_last_modified: true,
        },
        ...columns.map((column) => ({
          name_in_source: column.name,
          name_in_destination: column.name,
          data_type: column.type,
          is_primary_key: column.isKey ?? false,
        })),
      ],
    });
    this.system = system;
    this.roles = roles;
    this.table = sharedTableOf(definition);
    this.landed = landedTableOf(this.table);
    this.relation = this.table.relation;
    this.seedColumns = [
      { name: 'tenant', type: 'string' },
      { name: 'changed', type: 'timestamp' },
      ...columns.map((column) => ({ name: column.name, type: column.type })),
    ];
  }

  static async create(system: ConnectorUnderTest, columns = plainColumns): Promise<Rig> {
    return new Rig(system, await system.declaration.load(), columns);
  }

  seed(rows: readonly TextRow[]): Promise<void> {
    return this.system.seed({ relation: this.relation, columns: this.seedColumns, rows });
  }

  async openSource(settings = this.system.source.settings): Promise<Source> {
    return must(this.roles.source, 'source role').open(settings, this.system.reach);
  }

  async openDestination(settings = this.system.destination.settings): Promise<Destination> {
    return must(this.roles.destination, 'destination role').open(settings, this.system.reach);
  }

  request(changed: Partial<ReadRequest> = {}): ReadRequest {
    return {
      relation: this.relation,
      columns: this.table.columns,
      key: this.table.key,
      lastModified: this.table.lastModified,
      tenant: { column: this.table.tenantColumn, id: tenant },
      window: { after: undefined, upTo: undefined },
      resumeAfter: undefined,
      deltaAfter: undefined,
      encoding: 'copy_text',
      batchBytesMax: 2 ** 20,
      batchRowsMax: 1000,
      position: undefined,
      ...changed,
    };
  }

  async read(changed: Partial<ReadRequest> = {}): Promise<Batch[]> {
    await using source = await this.openSource();
    return await Array.fromAsync(source.read(this.request(changed), going));
  }

  /** The first attempt of the first transfer, unless told otherwise. */
  plan(changed: Partial<LoadPlan> = {}): LoadPlan {
    return {
      owner: this.owner,
      modelId: this.modelId,
      modelName: this.table.modelName,
      revisionId: this.revisionId,
      transferId: this.firstTransferId,
      table: this.landed,
      wireColumns: this.table.columns.map(({ nameInDestination }) => nameInDestination),
      lastModified: this.table.lastModified.nameInDestination,
      loadIdentity: 'a'.repeat(64),
      mode: 'merge',
      window: { after: undefined, upTo: undefined },
      fence: fenceAt,
      continues: false,
      movesWatermark: false,
      isWhole: false,
      encoding: 'copy_text',
      epoch: epoch(1),
      ...changed,
    };
  }

  close(changed: Partial<LoadClose> = {}): LoadClose {
    return {
      watermark: fenceAt,
      fence: fenceAt,
      isFullRefresh: false,
      rowsTransferred: 1,
      ...changed,
    };
  }

  /** Brings the live table to the model, which has to come before a merge. */
  async evolve(destination: Destination): Promise<void> {
    const steps = planEvolution(this.landed, await destination.describe(this.landed.name));
    await destination.apply({ modelId: this.modelId, table: this.landed, steps });
  }

  /** One load from its opening to its end, in one attempt: what the source holds now. */
  async land(plan: Partial<LoadPlan> = {}, request: Partial<ReadRequest> = {}): Promise<Receipt> {
    const { encoding = 'copy_text' } = plan;
    const batches = await this.read({ encoding, ...request });
    await using destination = await this.openDestination();
    if (this.plan(plan).mode === 'merge') await this.evolve(destination);
    const load = await destination.open(this.plan(plan), going);
    await writeAll(load, batches);
    return await load.finish(this.close(), going);
  }

  /** What the destination shows, in the order of the ids. */
  async live(): Promise<TextRow[] | undefined> {
    const rows = await this.system.readBack(this.landed.name);
    return rows?.toSorted((a, b) => Number(a['id'] ?? 0) - Number(b['id'] ?? 0));
  }

  /** What it shows in short, `1 a` for the note of id 1; undefined where there is no table. */
  async notes(): Promise<string[] | undefined> {
    return (await this.live())?.map(({ id, note }) => `${id} ${note}`);
  }
}

export async function writeAll(load: Load, batches: readonly Batch[]): Promise<void> {
  for (const batch of batches) await load.write(batch, going);
}

/** Attempts of one step under one start; the start of a second transfer is the default of nothing. */
export function epoch(attempt: number, startedAtMicros = 1_767_225_600_000_000) {
  return { startedAtMicros, step: 1, attempt };
}

/** Another transfer, that started later. */
export function laterTransfer(attempt = 1) {
  return { transferId: randomUUID(), epoch: epoch(attempt, 1_767_225_700_000_000) };
}

/** An instant of one hour, by its minute. */
export function minute(value: number): string {
  return `2026-03-01 12:${String(value).padStart(2, '0')}:00+00`;
}

/** A source row: `row(1, 5, 'a')` has the id 1 and was changed in minute 5. */
export function row(id: number, changed: number, note: string | null = 'note'): TextRow {
  return { tenant, changed: minute(changed), id: String(id), note };
}
