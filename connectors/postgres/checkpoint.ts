import type { LoadClose } from '../connector.ts';
import { appliedAfter } from '../../domain/evolution.ts';
import type { LandedTable, LoadPlan, LoadProgress } from '../../domain/load.ts';
import { applicationNames } from './connect.ts';
import {
  fencedFailure,
  fencedState,
  lockNotAvailable,
  rowGoneFailure,
  rowGoneState,
  sqlStateOf,
} from './failures.ts';
import { loadRowColumns, parseLoadRow, recordOf, type LoadRow } from './record.ts';
import type { Session } from './session.ts';
import { literal, qualified, setting } from './sql.ts';
import { loadTable, lockTimeout, statusTable } from './tables.ts';

/** Assignments to the row of a load, with the values that they number from $5 on. */
export interface Change {
  readonly assignments: readonly string[];
  readonly values?: readonly unknown[];
}

/**
 * The row of one model in `_waybill_load` under one epoch. Every change of it is a check-and-set of the
 * epoch: whoever was overtaken changes nothing.
 */
export class Checkpoint {
  readonly session: Session;
  readonly plan: LoadPlan;
  private readonly schema: string;
  private readonly table: string;
  private applied: LandedTable | undefined;

  constructor(session: Session, schema: string, plan: LoadPlan) {
    this.session = session;
    this.schema = schema;
    this.plan = plan;
    this.table = qualified(schema, loadTable);
  }

  /**
   * Shows the epoch; an attempt of a lower one can write no more. @throws Failure `fenced` where it is the
   * lower one
   */
  async show(): Promise<LoadRow> {
    const row = await this.tryToShow().catch(async (error: unknown) => {
      if (sqlStateOf(error) !== lockNotAvailable) throw error;
      await this.endHolder();
      return this.tryToShow();
    });
    if (row === undefined) throw fencedFailure();
    const shown = parseLoadRow(row);
    this.applied = recordOf(shown).appliedTable;
    return shown;
  }

  /** Nothing where the epoch that is there is higher. */
  private async tryToShow(): Promise<unknown> {
    const { epoch, owner, modelId, modelName, table } = this.plan;
    const show = async () => {
      const [row] = await this.session.rows(
        /*sql*/ `insert into ${this.table} as t (model_id, model_name, table_name, owner,
            epoch_started_at_micros, epoch_step, epoch_attempt, writer_pid, writer_backend_start)
          values ($1, $2, $3, $4, $5, $6, $7, pg_backend_pid(),
            (select backend_start from pg_stat_activity where pid = pg_backend_pid()))
          on conflict (model_id) do update set
            epoch_started_at_micros = excluded.epoch_started_at_micros, epoch_step = excluded.epoch_step,
            epoch_attempt = excluded.epoch_attempt, writer_pid = excluded.writer_pid,
            writer_backend_start = excluded.writer_backend_start
          where (t.epoch_started_at_micros, t.epoch_step, t.epoch_attempt)
            <= (excluded.epoch_started_at_micros, excluded.epoch_step, excluded.epoch_attempt)
          returning ${loadRowColumns}`,
        [modelId, modelName, table.name, owner, epoch.startedAtMicros, epoch.step, epoch.attempt],
      );
      return row;
    };
    return this.session.transaction(show, { settings: [lockTimeout] });
  }

  /**
   * Ends the session that has changed our row and neither commits nor says anything: an attempt that froze
   * between two messages. It is found by its transaction, so a pooler that lends sessions does not matter.
   */
  private async endHolder(): Promise<void> {
    await this.session.rows(
      /*sql*/ `select pg_terminate_backend(a.pid) from ${this.table} t
        join pg_locks l on l.locktype = 'transactionid' and l.transactionid = t.xmax and l.granted
        join pg_stat_activity a on a.pid = l.pid
        where t.model_id = $1 and a.usename = current_user and a.application_name = $2
          and a.state like 'idle in transaction%'`,
      [this.plan.modelId, applicationNames.destination],
    );
  }

  /**
   * Inside a transaction with the pinned settings. @throws Failure `fenced`; `schema_conflict` where the row
   * has gone
   */
  async change({ assignments, values = [] }: Change): Promise<LoadRow> {
    const { modelId, epoch } = this.plan;
    const [row] = await this.session.rows(
      /*sql*/ `update ${this.table} set ${assignments.join(', ')}
        where model_id = $1 and epoch_started_at_micros = $2 and epoch_step = $3 and epoch_attempt = $4
        returning ${loadRowColumns}`,
      [modelId, epoch.startedAtMicros, epoch.step, epoch.attempt, ...values],
    );
    if (row !== undefined) return parseLoadRow(row);
    const held = await this.session.rows(/*sql*/ `select from ${this.table} where model_id = $1`, [
      modelId,
    ]);
    throw held.length > 0 ? fencedFailure() : rowGoneFailure();
  }

  /**
   * The same as a statement without parameters, to travel in one message with what it guards; nobody reads
   * a count in between, so it raises where it matches no row. Its values are settings of the transaction.
   */
  changeStatement(assignments: readonly string[]): string {
    const body = /*sql*/ `begin
      update ${this.table} set ${assignments.join(', ')}
        where model_id = ${setting('model')} and epoch_started_at_micros = ${setting('started')}::bigint
          and epoch_step = ${setting('step')}::integer and epoch_attempt = ${setting('attempt')}::integer;
      if not found then raise exception 'fenced' using errcode =
        case when exists (select from ${this.table} where model_id = ${setting('model')})
          then '${fencedState}' else '${rowGoneState}' end; end if;
    end`;
    return `do ${literal(body)}`;
  }

  /** Sets what `changeStatement` reads, and more settings with it, in one statement. */
  async setValues(
    more: Readonly<Record<string, string | number | readonly string[]>> = {},
  ): Promise<void> {
    const { modelId, epoch } = this.plan;
    const all = {
      model: modelId,
      started: epoch.startedAtMicros,
      step: epoch.step,
      attempt: epoch.attempt,
      ...more,
    };
    const calls = Object.entries(all).map(([name, value], index) => {
      const cast = Array.isArray(value) ? `($${index + 1}::text[])::text` : `$${index + 1}`;
      return `set_config('waybill.${name}', ${cast}, true)`;
    });
    const values = Object.values(all).map((value) =>
      typeof value === 'number' ? String(value) : value,
    );
    await this.session.rows(/*sql*/ `select ${calls.join(', ')}`, values);
  }

  /** Inside a transaction: the load has landed, and the customer is told so. */
  async finish(
    close: LoadClose,
    { progress, rowsPublished }: { progress: LoadProgress; rowsPublished?: number },
  ): Promise<void> {
    const { plan } = this;
    await this.change({
      assignments: [
        'owner = $5, load_identity = $6, model_name = $7, table_name = $8, applied_table = $9::jsonb',
        'watermark = $10::timestamptz, greatest = $11::timestamptz, fence = $12::timestamptz',
        'published_rows = $13::bigint',
        `load_state = 'finished'`,
      ],
      values: [
        plan.owner,
        plan.loadIdentity,
        plan.modelName,
        plan.table.name,
        JSON.stringify(appliedAfter(this.applied, plan.table)),
        close.watermark,
        progress.greatest,
        close.fence,
        rowsPublished,
      ],
    });
    await this.session.run(
      /*sql*/ `insert into ${qualified(this.schema, statusTable)} as t (
          table_name, model_name, transfer_last_updated_at, transfer_id, transfer_type,
          rows_transferred, last_modified_watermark)
        values ($1, $2, clock_timestamp(), $3, $4, $5, $6::timestamptz)
        on conflict (table_name) do update set model_name = excluded.model_name,
          transfer_last_updated_at = excluded.transfer_last_updated_at, transfer_id = excluded.transfer_id,
          transfer_type = excluded.transfer_type, rows_transferred = excluded.rows_transferred,
          last_modified_watermark = excluded.last_modified_watermark`,
      [
        plan.table.name,
        plan.modelName,
        plan.transferId,
        close.isFullRefresh ? 'FULL_REFRESH' : 'INCREMENTAL',
        close.rowsTransferred,
        progress.greatest,
      ],
    );
  }
}
