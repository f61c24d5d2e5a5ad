import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import type { PostgresMajor } from '../../bin/embedded-postgres.ts';
import type { Encoding } from '../../domain/load.ts';
import { runIntegrityJob, type IntegrityResult } from '../harness/integrity.ts';
import { connectAs, type TestPlace } from '../harness/postgres-ends.ts';
import type { System } from '../harness/system.ts';
import { transfer } from '../harness/transfers.ts';
import { connectionBlock, type TextRow } from '../harness/vendor.ts';
import { landedTexts, madeTypes, specimensOf, type Specimen } from './4-specimens.ts';

// A table with a column of every type we know and a value that copies get wrong in each field, moved by
// whole transfers over the API from one server to another.

export interface ZooPlace extends TestPlace {
  readonly major: PostgresMajor;
}

interface Column extends Specimen {
  readonly name: string;
}

interface Row {
  readonly id: number;
  /** Which value of each specimen it has; undefined: null in all columns. */
  readonly shift: number | undefined;
}

/** One model over the table: all columns, which travel as text, or those that can travel in binary. */
interface Shared {
  readonly encoding: Encoding;
  readonly modelName: string;
  readonly modelId: string;
  columns: readonly Column[];
}

const rowCount = 8;

export class Zoo implements AsyncDisposable {
  private readonly system: System;
  private readonly source: Client;
  private readonly destination: Client;
  private columns: Column[];
  private rows: Row[] = [];
  private models: Shared[] = [];
  private destinationId = '';

  private constructor(
    system: System,
    clients: { source: Client; destination: Client },
    columns: Column[],
  ) {
    this.system = system;
    this.source = clients.source;
    this.destination = clients.destination;
    this.columns = columns;
  }

  /** Sets both ends up as a vendor and a customer would. The last column is not shared yet. */
  static async create(system: System, from: ZooPlace, to: ZooPlace): Promise<Zoo> {
    const columns = specimensOf(from.major)
      .filter((one) => one.since === undefined || to.major >= 14 || one.as !== 'decimal')
      .map((one, index) => ({ ...one, name: `c${index}` }));
    const clients = { source: await connectPlainly(from), destination: await connectPlainly(to) };
    const zoo = new Zoo(system, clients, columns);
    try {
      await zoo.fill();
      await zoo.register(from, to);
      return zoo;
    } catch (error) {
      await zoo[Symbol.asyncDispose]();
      throw error;
    }
  }

  private async fill(): Promise<void> {
    const list = this.columns.map(({ name, type }) => `${name} ${type}`).join(', ');
    await this.source.query(madeTypes);
    await this.source.query(
      /*sql*/ `create table zoo (tenant text, id int primary key, changed_at timestamptz, ${list})`,
    );
    for (let id = 1; id <= rowCount; id += 1) await this.write({ id, shift: id });
    await this.write({ id: rowCount + 1, shift: undefined });
  }

  /** Puts the row there, or changes it, stamped now. */
  async write(row: Row): Promise<void> {
    const values = this.columns.map(({ values: all }) =>
      row.shift === undefined ? 'null' : (all[row.shift % all.length] ?? 'null'),
    );
    await this.source.query(/*sql*/ `delete from zoo where id = ${row.id}`);
    await this.source.query(
      /*sql*/ `insert into zoo values ('acme', ${row.id}, clock_timestamp(), ${values.join(', ')})`,
    );
    this.rows = [...this.rows.filter(({ id }) => id !== row.id), row];
  }

  async remove(id: number): Promise<void> {
    await this.source.query(/*sql*/ `delete from zoo where id = ${id}`);
    this.rows = this.rows.filter((row) => row.id !== id);
  }

  private async register(from: ZooPlace, to: ZooPlace): Promise<void> {
    const api = <T>(...request: Parameters<System['api']>) => this.system.api<T>(...request);
    const name = randomUUID().slice(0, 8);
    const postgres = connectionBlock(from, 'public');
    await api('POST', '/sources', { source: { name, vendor: 'postgres', postgres } });
    for (const encoding of ['copy_text_messages', 'copy_binary_messages'] as const) {
      const columns = this.columns.filter((one) => travels(one, encoding)).slice(0, -1);
      const model = {
        model_name: `${encoding}_${name}`,
        source_name: name,
        source_table: 'public.zoo',
        organization_column: 'tenant',
        columns: modelColumns(columns),
      };
      const made = await api<{ model: { id: string } }>('POST', '/models', { model });
      this.models.push({ encoding, modelName: model.model_name, modelId: made.model.id, columns });
    }
    const { destination } = await api<{ destination: { id: string } }>('POST', '/destinations', {
      destination: {
        name,
        vendor: 'postgres',
        id_in_provider_system: 'acme',
        postgres: connectionBlock(to, 'Landed "here"'),
        enabled_models: this.models.map(({ modelName }) => modelName),
      },
    });
    this.destinationId = destination.id;
  }

  /** Adds the column that is not shared yet to both models. */
  async addColumn(): Promise<void> {
    for (const model of this.models) {
      model.columns = this.columns.filter((one) => travels(one, model.encoding));
      await this.system.api('PATCH', `/models/${model.modelId}`, {
        model: { columns: modelColumns(model.columns) },
      });
    }
  }

  /** @returns the transfer's log, which says how the rows travelled */
  async transfer(isFullRefresh = false): Promise<string> {
    const body = { full_refresh: isFullRefresh };
    return (await transfer(this.system, this.destinationId, body)).log ?? '';
  }

  /** What our own comparison of both ends finds, for each model. */
  async integrity(): Promise<readonly IntegrityResult[]> {
    return (await runIntegrityJob(this.system, this.destinationId)).data_integrity_results;
  }

  /** What ought to be at the destination and what is there, for each model. */
  async compare(): Promise<{ wanted: TextRow[]; landed: TextRow[] }[]> {
    const compared = [];
    for (const { modelName, columns } of this.models) {
      const list = columns.map(
        ({ name }) =>
          `case when ${name} is null then null else format('%s', ${name}) end as ${name}`,
      );
      const { rows: landed } = await this.destination.query<TextRow>(
        /*sql*/ `select ${list.join(', ')} from "Landed ""here""".${modelName} t order by id`,
      );
      compared.push({ wanted: this.wantedRows(columns), landed });
    }
    return compared;
  }

  private wantedRows(columns: readonly Column[]): TextRow[] {
    const textOf = (column: Column, { shift }: Row) => {
      const texts = landedTexts(column);
      return shift === undefined ? null : (texts[shift % texts.length] ?? null);
    };
    return this.rows
      .toSorted((a, b) => a.id - b.id)
      .map((row) => Object.fromEntries(columns.map((one) => [one.name, textOf(one, row)])));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.source.end(), this.destination.end()]);
  }
}

/** A client to which no setting of the database or the login has anything to say. */
async function connectPlainly(place: TestPlace): Promise<Client> {
  const client = await connectAs(place);
  await client.query(/*sql*/ `set intervalstyle = postgres; set bytea_output = hex; set array_nulls = on;
    set standard_conforming_strings = on; set xmloption = content; set search_path = public;
    set default_transaction_isolation = 'read committed'; set default_transaction_read_only = off;
    set lock_timeout = 0; set statement_timeout = 0`);
  return client;
}

function travels({ encodings }: Specimen, encoding: Encoding): boolean {
  return encodings === undefined || encodings.includes(encoding);
}

function modelColumns(columns: readonly Column[]): object[] {
  const column = (name: string, type: string, role: object = {}) => ({
    name_in_source: name,
    name_in_destination: name,
    data_type: type,
    ...role,
  });
  return [
    column('id', 'integer', { is_primary_key: true }),
    column('changed_at', 'timestamp', { is_last_modified: true }),
    ...columns.map(({ name, as }) => column(name, as)),
  ];
}

/** First load, what changed, a new column, full refresh. @returns what each left at the destination */
export async function runAllTransfers(zoo: Zoo) {
  const stages: Record<string, Awaited<ReturnType<Zoo['compare']>>> = {};
  const log = await zoo.transfer();
  stages['first load'] = await zoo.compare();
  for (const id of [2, 5]) await zoo.write({ id, shift: id + 1 });
  await zoo.write({ id: 3, shift: undefined });
  await zoo.write({ id: rowCount + 2, shift: 1 });
  await zoo.transfer();
  stages['what changed'] = await zoo.compare();
  await zoo.addColumn();
  for (let id = 1; id <= rowCount + 2; id += 1) await zoo.write({ id, shift: id + 2 });
  await zoo.transfer();
  stages['a new column'] = await zoo.compare();
  await zoo.remove(4);
  await zoo.transfer(true);
  stages['full refresh'] = await zoo.compare();
  return { stages, log };
}
