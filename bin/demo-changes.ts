import type pg from 'pg';
import { connect, type Login } from './demo-vendor.ts';

/** How many rows of each region a change touched. */
export type Touched = ReadonlyMap<string, number>;

/** The vendor's application begins to know gates. */
export async function addGateColumn(vendor: pg.Client): Promise<void> {
  await vendor.query(/*sql*/ `alter table public.flights add column gate text`);
}

/** One flight in 300 gets a gate and a new delay. */
export function updateFlights(vendor: pg.Client): Promise<Touched> {
  return countTouched(
    vendor,
    /*sql*/ `
    update public.flights
       set delay = delay + 5, gate = 'B' || (id % 40), updated_at = clock_timestamp()
     where id % 300 = 0
    returning region`,
  );
}

/** One flight in 600 flies again half a year later, under a key of its own. */
export function insertFlights(vendor: pg.Client, rows: number): Promise<Touched> {
  return countTouched(
    vendor,
    copyOfFlights({ every: 600, shift: rows, updatedAt: 'clock_timestamp()' }),
  );
}

/** Some western flights are struck from the books without a trace in the last-modified column. */
export function deleteFlights(vendor: pg.Client): Promise<Touched> {
  return countTouched(
    vendor,
    /*sql*/ `delete from public.flights where id % 1000 = 7 and region = 'west' returning region`,
  );
}

export interface LateTransaction {
  readonly touched: Touched;
  commit(): Promise<void>;
}

/**
 * Writes in a session of its own and does not commit yet. Its rows carry the time at which it began, so
 * rows that are changed and copied meanwhile carry later times.
 */
export async function beginLate(login: Login, rows: number): Promise<LateTransaction> {
  const session = await connect(login);
  await session.query('begin');
  const touched = await countTouched(
    session,
    copyOfFlights({ every: 3000, shift: 2 * rows, updatedAt: 'now()' }),
  );
  return {
    touched,
    commit: async () => {
      await session.query('commit');
      await session.end();
    },
  };
}

/** The values are ours, and two of them name functions: nothing here comes from outside. */
function copyOfFlights(copy: {
  every: number;
  shift: number;
  updatedAt: 'now()' | 'clock_timestamp()';
}): string {
  return /*sql*/ `
    insert into public.flights (id, region, departed_at, delay, distance, origin, target, gate, updated_at)
    select id + ${copy.shift}, region, departed_at + interval '181 days', 0, distance, origin, target, 'C1',
           ${copy.updatedAt}
      from public.flights where id % ${copy.every} = 1 and id <= ${copy.shift}
    returning region`;
}

async function countTouched(client: pg.Client, change: string): Promise<Touched> {
  const { rows } = await client.query<{ region: string; rows: string }>(
    /*sql*/ `with changed as (${change}) select region, count(*) as rows from changed group by region`,
  );
  return new Map(rows.map(({ region, rows: count }) => [region, Number(count)]));
}
