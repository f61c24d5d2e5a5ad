import type pg from 'pg';

// The vendor's tables of the bench. Every value follows from the number of its row.

export const tenantId = 'tenant-1';

export interface BenchColumn {
  readonly name: string;
  /** How the model declares it. */
  readonly declared: string;
  /** How a native copy reads it, so that it lands as the type that Waybill gives the column. */
  readonly selected: string;
}

/** A table at the source, and the model of the same name. */
export interface Shape {
  readonly name: 'orders' | 'orders_few' | 'wide' | 'huge';
  readonly columns: readonly BenchColumn[];
}

/** Key first, as Waybill lands them. The uuid lands as text on both sides. */
const orderColumns: readonly BenchColumn[] = [
  { name: 'id', declared: 'uuid', selected: 'id::text' },
  { name: 'buyer', declared: 'text', selected: 'buyer' },
  { name: 'email', declared: 'text', selected: 'email' },
  { name: 'state', declared: 'text', selected: 'state' },
  { name: 'amount', declared: 'decimal', selected: 'amount' },
  { name: 'quantity', declared: 'integer', selected: 'quantity' },
  { name: 'points', declared: 'bigint', selected: 'points' },
  { name: 'weight', declared: 'float', selected: 'weight' },
  { name: 'is_gift', declared: 'boolean', selected: 'is_gift' },
  { name: 'note', declared: 'text', selected: 'note' },
  { name: 'details', declared: 'jsonb', selected: 'details' },
  { name: 'created_at', declared: 'timestamptz', selected: 'created_at' },
  { name: 'updated_at', declared: 'timestamptz', selected: 'updated_at' },
];

const blobColumns: readonly BenchColumn[] = [
  { name: 'id', declared: 'uuid', selected: 'id::text' },
  { name: 'body', declared: 'text', selected: 'body' },
  { name: 'updated_at', declared: 'timestamptz', selected: 'updated_at' },
];

/** The main table: thirteen columns, about 350 bytes a row. */
export const orders: Shape = { name: 'orders', columns: orderColumns };
/** The same columns, a thousand rows. */
export const ordersFew: Shape = { name: 'orders_few', columns: orderColumns };
/** 100 kB and 32 MB a row. */
export const wide: Shape = { name: 'wide', columns: blobColumns };
export const huge: Shape = { name: 'huge', columns: blobColumns };
export const shapes = [orders, ordersFew, wide, huge] as const;

const fewRows = 1000;

const makeOrders = (table: string) => /*sql*/ `
  create table public.${table} (
    id uuid not null,
    buyer text not null,
    email text not null,
    state text not null,
    amount numeric(18, 4) not null,
    quantity integer not null,
    points bigint not null,
    weight double precision not null,
    is_gift boolean not null,
    note text,
    details jsonb not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    tenant text not null
  )`;

/** Six rows in a thousand share their last-modified value. */
const fillOrders = (table: string) => /*sql*/ `
  insert into public.${table}
  select md5('order ' || n)::uuid,
         'Buyer number ' || n % 50000,
         'buyer.' || n % 50000 || '@example.com',
         (array['new', 'paid', 'packed', 'sent', 'returned'])[1 + n % 5],
         (n::bigint * 7919 % 100000000)::numeric / 10000,
         n % 12,
         n::bigint * 1000003,
         n / 7.0::double precision,
         n % 3 = 0,
         case when n % 10 > 0 then 'Leave it at the door, ' || md5('note ' || n) end,
         jsonb_build_object('plan', 'plan ' || n % 20, 'seats', n % 500, 'tags', jsonb_build_array('a', n % 9),
                            'nested', jsonb_build_object('ok', n % 2 = 0)),
         timestamptz '2024-01-01 00:00:00Z' + n * interval '0.9 seconds',
         timestamptz '2024-01-01 00:10:00Z' + (n - n % 6 * (n % 1000 / 994)) * interval '1.000001 seconds',
         $2
    from generate_series(1, $1::integer) as n`;

const makeBlobs = (table: string) => /*sql*/ `
  create table public.${table} (
    id uuid not null,
    body text not null,
    updated_at timestamptz not null,
    tenant text not null
  )`;

/** Stored as it is, so that what is measured is not the server's compression. */
const storePlainly = (table: string) =>
  /*sql*/ `alter table public.${table} alter column body set storage external`;

const fillBlobs = (table: string) => /*sql*/ `
  insert into public.${table}
  select md5('${table} ' || n)::uuid,
         repeat(md5('body ' || n), $3::integer / 32),
         timestamptz '2024-01-01 00:00:00Z' + n * interval '1 second',
         $2
    from generate_series(1, $1::integer) as n`;

const finish = (table: string) => [
  /*sql*/ `alter table public.${table} add primary key (id)`,
  /*sql*/ `create index ${table}_by_tenant on public.${table} (tenant, updated_at, id)`,
  /*sql*/ `vacuum (analyze) public.${table}`,
];

/** A row of 100 kB for a thousand narrow ones (20 to 2,000), and one of 32 MB for fifty thousand (3–20). */
function countBlobs(rows: number): { wide: number; huge: number } {
  const between = (low: number, count: number, high: number) =>
    Math.max(low, Math.min(high, Math.round(count)));
  return { wide: between(20, rows / 1000, 2000), huge: between(3, rows / 50_000, 20) };
}

export async function createSourceRows(source: pg.Client, rows: number): Promise<void> {
  await source.query(/*sql*/ `set maintenance_work_mem to '512MB'`);
  for (const [table, count] of [['orders', rows] as const, ['orders_few', fewRows] as const]) {
    await source.query(makeOrders(table));
    await source.query(fillOrders(table), [count, tenantId]);
  }
  const blobs = countBlobs(rows);
  const sizes = [['wide', blobs.wide, 100_000] as const, ['huge', blobs.huge, 32_000_000] as const];
  for (const [table, count, bytes] of sizes) {
    await source.query(makeBlobs(table));
    await source.query(storePlainly(table));
    await source.query(fillBlobs(table), [count, tenantId, bytes]);
  }
  for (const { name } of shapes) {
    for (const statement of finish(name)) await source.query(statement);
  }
  await source.query(/*sql*/ `checkpoint`);
}

/** Bytes of a row as text, the measure that the API reports volumes in. */
export async function measureRowBytes(source: pg.Client): Promise<number> {
  const { rows } = await source.query<{
    bytes: string;
  }>(/*sql*/ `select avg(length(row(orders.*)::text)) as bytes
      from (select * from public.orders limit 10000) as orders`);
  return Number(rows[0]?.bytes);
}
