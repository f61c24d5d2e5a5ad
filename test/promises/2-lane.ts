import { openDestination } from '../../connectors/postgres/destination.ts';
import type { Batch, Reach } from '../../connectors/connector.ts';
import { Failure } from '../../domain/failure.ts';
import type { LoadMode } from '../../domain/load.ts';
import { must } from '../../lib/must.ts';
import {
  directReach,
  type Ends,
  epochOf,
  going,
  modelOf,
  settingsOf,
} from '../harness/postgres-ends.ts';

export const kinds = ['a merge', 'a first load', 'a full refresh'] as const;
export type Kind = (typeof kinds)[number];

/** Rows of one tenant at the source. */
const rows = 6;
const batchRows = 3;
/** Each waits three seconds for a lock, which a frozen attempt holds for half a minute at most. */
const attemptsMax = 20;

/** Makes the table that all lanes read, each the rows of a tenant of its own. */
export async function createSource({ source }: Ends): Promise<void> {
  await source.query(/*sql*/ `create table things
    (tenant text, at timestamptz, id int, note text, primary key (tenant, id))`);
}

export interface Attempt {
  readonly transfer: number;
  readonly attempt?: number;
  readonly reach?: Reach;
  readonly mode?: LoadMode | undefined;
}

/** One model with one table at the destination, and transfers of it. */
export class Lane {
  readonly name: string;
  readonly kind: Kind;
  /** The step that an attempt began last. */
  private step = 1;
  private readonly ends: Ends;
  private readonly table;

  constructor(ends: Ends, { name, kind }: { name: string; kind: Kind }) {
    this.ends = ends;
    this.name = name;
    this.kind = kind;
    this.table = modelOf(
      [
        ['at', 'timestamp', 'last_modified'],
        ['id', 'integer', 'key'],
        ['note', 'string'],
      ],
      { model_name: name },
    );
  }

  /** Rows at the source, and what an earlier transfer has landed of them. */
  async begin(): Promise<void> {
    await this.ends.source.query(
      /*sql*/ `insert into things select $1, timestamptz '2026-01-02' + n * interval '1 s', n, 'one'
        from generate_series(1, ${rows}) n`,
      [this.name],
    );
    if (this.kind !== 'a first load') await this.transfer({ transfer: 1, mode: 'replace' });
  }

  /** Changes every row at the source; every second one goes back in time, one goes and one comes. */
  async change(to: string): Promise<void> {
    await this.ends.source.query(
      /*sql*/ `update things set note = $2, at = at + (case id % 2 when 0 then -1 else 1 end) * interval '1 h'
        where tenant = $1`,
      [this.name, to],
    );
  }

  private async read(): Promise<Batch[]> {
    await using source = this.ends.openSource();
    const tenant = { column: 'tenant', id: this.name };
    const request = this.ends.request(this.table, { tenant, batchRowsMax: batchRows });
    return await Array.fromAsync(source.read(request, going));
  }

  /** All steps of a transfer, once. The publishing of a replace is a step of its own. */
  async transfer(attempt: Attempt): Promise<void> {
    const steps = this.modeOf(attempt) === 'merge' ? [1] : [1, 2];
    for (const step of steps) await this.take(step, attempt);
  }

  /** Goes on, as a worker would, with the step at which the first attempt has stopped. */
  async goOn(transfer: number): Promise<void> {
    const from = this.step;
    for (let attempt = 2; ; attempt += 1) {
      try {
        await this.take(from, { transfer, attempt });
        break;
      } catch (error) {
        const isBusy = error instanceof Failure && error.kind === 'destination_busy';
        if (!isBusy || attempt >= attemptsMax) throw error;
      }
    }
    if (from === 1 && this.kind !== 'a merge') await this.take(2, { transfer });
  }

  private modeOf({ mode = this.kind === 'a merge' ? 'merge' : 'replace' }: Attempt): LoadMode {
    return mode;
  }

  /** One step: 1 copies, and for a merge that is all; 2 publishes. */
  async take(step: number, { transfer, attempt, reach, mode }: Attempt): Promise<void> {
    this.step = step;
    const batches = step === 1 ? await this.read() : [];
    // Up to its publishing a first load is no other than a full refresh.
    const isAlike = step === 1 && this.kind === 'a first load';
    await using destination = this.open(isAlike ? undefined : reach);
    const plan = {
      mode: this.modeOf({ transfer, mode }),
      epoch: epochOf(transfer, attempt, step),
      transferId: `transfer ${transfer}`,
    };
    const load = await destination.open(this.ends.plan(this.table, plan), going);
    for (const batch of batches) await load.write(batch, going);
    if (step === 2 || plan.mode === 'merge') await load.finish(this.ends.close(), going);
  }

  private open(reach: Reach = directReach) {
    return openDestination({ ...settingsOf(this.ends.to), schema: 'landed' }, reach);
  }

  async rowsAtSource(): Promise<object[]> {
    const { rows: found } = await this.ends.source.query<object>(
      /*sql*/ `select id, at::text, note from things where tenant = $1 order by things.id`,
      [this.name],
    );
    return found;
  }

  /** The rows that stand at the destination, and what our own row there says of them. */
  async state(): Promise<{ rows: object[]; load: object }> {
    const { rows: landed } = await this.ends.destination.query<object>(
      /*sql*/ `select id, at::text, note from landed.${this.name} t order by t.id, t.note`,
    );
    return { rows: landed, load: await this.loadRow() };
  }

  private async loadRow(): Promise<Readonly<Record<string, unknown>>> {
    const { rows: loads } = await this.ends.destination.query<Record<string, unknown>>(
      /*sql*/ `select * from landed._waybill_load where model_id = $1`,
      [this.name],
    );
    return must(loads[0], 'a row of the load');
  }

  /** The hidden table of a replace that is under way. */
  async hidden(): Promise<string> {
    return `landed.${String((await this.loadRow())['staged_name'])}`;
  }

  /** Hidden tables that nobody will take away. */
  async leftovers(): Promise<object[]> {
    const { rows: found } = await this.ends.destination.query<object>(
      /*sql*/ `select relname from pg_class where relkind = 'r' and relname like '\\_waybill\\_copy%'
        and obj_description(oid, 'pg_class') like '% ' || $1 || ' here%'`,
      [this.name],
    );
    return found;
  }
}
