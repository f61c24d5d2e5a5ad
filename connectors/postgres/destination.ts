import type { LiveTable } from '../../domain/evolution.ts';
import { Failure } from '../../domain/failure.ts';
import {
  encodings,
  type Encoding,
  type LandedTable,
  type LoadPlan,
  type LoadRecord,
} from '../../domain/load.ts';
import type { SharedTable } from '../../domain/model.ts';
import type {
  ComparedRows,
  Destination,
  Finding,
  Load,
  Reach,
  Removal,
  SchemaChange,
  Tunnel,
} from '../connector.ts';
import { tunnelOf } from '../fields.ts';
import { checkDestination } from './check.ts';
import { landedRows, PostgresComparedRows } from './compared-rows.ts';
import { DestinationSettings } from './declaration.ts';
import { applyChange, describeTable } from './evolve.ts';
import { LazySession } from './lazy-session.ts';
import { openLoad } from './open-load.ts';
import { readLoadRow, recordOf } from './record.ts';
import { removeRows } from './remove-rows.ts';

/** Nothing is connected before the first verb. */
export function openDestination(settings: unknown, reach: Reach): Destination {
  return new PostgresDestination(DestinationSettings.parse(settings), tunnelOf(settings), reach);
}

class PostgresDestination implements Destination {
  private readonly settings: DestinationSettings;
  private readonly session: LazySession;

  constructor(settings: DestinationSettings, tunnel: Tunnel | undefined, reach: Reach) {
    this.settings = settings;
    this.session = new LazySession({ settings, tunnel, side: 'destination', reach });
  }

  check(): Promise<Finding[]> {
    return checkDestination(this.session, this.settings);
  }

  async describe(table: string): Promise<LiveTable | undefined> {
    return describeTable(await this.session.get(), this.settings.schema, table);
  }

  async recall(modelId: string): Promise<LoadRecord | undefined> {
    const row = await readLoadRow(await this.session.get(), this.settings.schema, modelId);
    return row === undefined ? undefined : recordOf(row);
  }

  /** Rows are staged in tables of our own making, so the types are always the ones that binary needs. */
  accepts(_table: LandedTable, offered: readonly Encoding[]): Encoding {
    const known = offered.find((encoding) => encodings.includes(encoding));
    if (known !== undefined) return known;
    throw new Failure(
      'type_unsupported',
      'Source and destination have no encoding of rows in common.',
    );
  }

  async apply(change: SchemaChange): Promise<void> {
    await applyChange(await this.session.get(), this.settings.schema, change);
  }

  async open(plan: LoadPlan, signal: AbortSignal): Promise<Load> {
    const session = await this.session.get();
    using _ = session.stopOn(signal);
    return await openLoad(session, this.settings.schema, plan);
  }

  async compare(table: SharedTable): Promise<ComparedRows> {
    return new PostgresComparedRows(this.session, landedRows(this.settings.schema, table));
  }

  async remove(removal: Removal, signal: AbortSignal): Promise<number> {
    const session = await this.session.get();
    using _ = session.stopOn(signal);
    return await removeRows(session, this.settings.schema, removal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session[Symbol.asyncDispose]();
  }
}
