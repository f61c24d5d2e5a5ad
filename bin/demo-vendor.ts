import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { flightColumns, readFlights } from './demo-flights.ts';

/** Where a database of the demo is, and who may log in. */
export interface Login {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
}

export async function connect(login: Login): Promise<pg.Client> {
  const client = new pg.Client({ ...login, application_name: 'waybill-demo' });
  await client.connect();
  return client;
}

const makeTable = /*sql*/ `
  create table public.flights (
    id bigint not null,
    region text not null,
    departed_at timestamptz not null,
    delay integer not null,
    distance integer not null,
    origin text not null,
    target text not null,
    updated_at timestamptz not null
  )`;

/** The index serves the ordered reading of one region. */
const makeKeys = [
  /*sql*/ `alter table public.flights add primary key (id)`,
  /*sql*/ `create index flights_by_region on public.flights (region, updated_at, id)`,
  /*sql*/ `vacuum (analyze) public.flights`,
];

/** Fills the vendor's table and gives it its keys. `onRows` is told now and then how many rows are copied. */
export async function loadFlights(
  vendor: pg.Client,
  rows: number,
  onRows: (rows: number) => void,
): Promise<void> {
  await vendor.query(/*sql*/ `set maintenance_work_mem to '512MB'`);
  // In the transaction that makes the table, the rows need not be logged one by one.
  await vendor.query('begin');
  await vendor.query(makeTable);
  const columns = flightColumns.join(', ');
  const copy = vendor.query(copyFrom(/*sql*/ `copy public.flights (${columns}) from stdin`));
  await pipeline(Readable.from(readFlights(rows, onRows)), copy);
  await vendor.query('commit');
  for (const statement of makeKeys) await vendor.query(statement);
}

/** A login that may only read this table. It may see other sessions: that makes the fence exact. */
export async function createReader(vendor: pg.Client, reader: Login): Promise<void> {
  const name = pg.escapeIdentifier(reader.user);
  await vendor.query(
    /*sql*/ `create role ${name} login password ${pg.escapeLiteral(reader.password)}`,
  );
  await vendor.query(/*sql*/ `grant select on public.flights to ${name}`);
  await vendor.query(/*sql*/ `grant pg_read_all_stats to ${name}`);
}

/** Rows by region. */
export async function countFlights(vendor: pg.Client): Promise<Map<string, number>> {
  const { rows } = await vendor.query<{ region: string; rows: string }>(
    /*sql*/ `select region, count(*) as rows from public.flights group by region`,
  );
  return new Map(rows.map(({ region, rows: count }) => [region, Number(count)]));
}
