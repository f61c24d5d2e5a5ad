import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { laterColumns, chosenRows, insertRows, shapeOf } from './shapes.ts';
import { tenants, type PlannedAct, type Shape, type Tenant } from './plan.ts';
import { firstNumber, type Shipments } from './shipments.ts';

// The vendor's own application: many sessions that change rows while they are read.

export interface Writer {
  /** Does what is planned; one that the server or another session breaks off is rolled back as a whole. */
  act(act: PlannedAct): Promise<void>;
  /** Rows stamped by a clock that is wrong by so many seconds. */
  skew(tenant: Tenant, seconds: number): Promise<void>;
  /** Held transactions come to their end now. @returns what was done since the last time */
  rest(): Promise<Written>;
  end(): Promise<void>;
}

export interface Written {
  readonly acts: number;
  readonly brokenOff: number;
  readonly deleted: boolean;
}

export interface WriterOptions {
  readonly shipments: Shipments;
  readonly rows: Readonly<Record<Shape, number>>;
}

const sessionsMax = 14;
/** Well within the lookback of 30 s. */
const turnBackSecondsMax = 20;

export function createWriter({ shipments, rows }: WriterOptions): Writer {
  const pool = new pg.Pool({
    connectionString: shipments.vendorUrl,
    max: sessionsMax,
    options: '-c lock_timeout=3s',
  });
  pool.on('error', () => undefined);
  const numbers = new Map<string, number>();
  const takeNumbers = (tenant: Tenant, table: Shape, count: number): [number, number] => {
    const place = `${tenant} ${table}`;
    const from = numbers.get(place) ?? firstNumber(tenants.indexOf(tenant)) + rows[table];
    numbers.set(place, from + count);
    return [from, from + count - 1];
  };
  const running = new Set<Promise<void>>();
  let resting = new AbortController();
  let written = { acts: 0, brokenOff: 0, deleted: false };
  let writable = { ...shipments.columnsAdded };

  const inTransaction = async (work: (client: pg.PoolClient) => Promise<void>) => {
    const client = await pool.connect();
    let isBroken = true;
    try {
      client.on('error', ignore);
      await client.query('begin');
      await work(client);
      isBroken = false;
    } finally {
      client.off('error', ignore);
      client.release(isBroken);
    }
  };
  const perform = async (act: PlannedAct) => {
    const signal = resting.signal;
    await inTransaction(async (client) => {
      await write(client, act);
      if (act.kind === 'hold' || act.kind === 'roll_back')
        await sleep(act.holdMs, undefined, { signal }).catch(ignore);
      const isUndone = act.kind === 'roll_back';
      await client.query(isUndone ? 'rollback' : 'commit');
    });
    if (act.kind === 'delete') written.deleted = true;
  };
  const write = async (client: pg.PoolClient, act: PlannedAct) => {
    const { kind, tenant, shape: table, rows: count, choice } = act;
    if (kind === 'insert') {
      const [from, to] = takeNumbers(tenant, table, count);
      await client.query(insertRows(table, 'clock_timestamp()'), [tenant, from, to]);
    } else if (kind === 'delete') {
      const where = chosenRows(shapeOf(table));
      const few = Math.min(count, 10);
      await client.query(/*sql*/ `delete from ${table} where ${where}`, [tenant, few, choice]);
      // Seen also where its commit is not answered.
      written.deleted = true;
    } else {
      const text = updateRows(table, writable[table], stampOf(act));
      await client.query(text, [tenant, count, choice]);
    }
  };
  return {
    act(act) {
      const done = perform(act).then(
        () => void (written.acts += 1),
        () => void (written.brokenOff += 1),
      );
      running.add(done);
      return done.finally(() => running.delete(done));
    },
    async skew(tenant, seconds) {
      const stamp = `clock_timestamp() + make_interval(secs => ${seconds})`;
      for (const table of ['orders', 'events'] as const) {
        await pool
          .query(updateRows(table, writable[table], stamp), [tenant, 60, Math.abs(seconds) / 40])
          .catch(ignore);
      }
    },
    async rest() {
      resting.abort();
      await Promise.all(running);
      resting = new AbortController();
      // From now on no transfer runs that does not know the columns that came meanwhile.
      writable = { ...shipments.columnsAdded };
      const result = written;
      written = { acts: 0, brokenOff: 0, deleted: false };
      return result;
    },
    end: () => pool.end(),
  };
}

function stampOf({ kind, choice }: PlannedAct): string {
  if (kind === 'tie') return `date_trunc('second', now())`;
  if (kind === 'turn_back')
    return `now() - make_interval(secs => ${(choice * turnBackSecondsMax).toFixed(3)})`;
  return 'clock_timestamp()';
}

function updateRows(table: Shape, columns: number, stamp: string): string {
  const shape = shapeOf(table);
  const payload =
    table === 'orders'
      ? `amount = amount + 0.0000000001, note = case version % 3 when 0 then null when 1 then note || E'\\\\' else '' end`
      : `measure = measure / 3, raw = raw || '\\x00ff', body = jsonb_build_object('was', body, 'v', version % 2)->'v'`;
  const extras = laterColumns
    .slice(0, columns)
    .map((name) => `, ${name} = '${name} ' || (version + 1)`);
  return /*sql*/ `update ${table} set version = version + 1, ${payload}${extras.join('')},
    changed_at = ${stamp} where ${chosenRows(shape)}`;
}

function ignore(): void {
  // What a killed server breaks off is counted where it was begun.
}
