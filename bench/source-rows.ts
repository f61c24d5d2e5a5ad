import type pg from 'pg';

/** The vendor's table of the bench: thirteen columns, about 350 bytes a row, the same for the same count. */
export const sourceTable = 'public.orders';
export const tenantId = 'tenant-1';

export interface BenchColumn {
  readonly name: string;
  /** How the model declares it. */
  readonly declared: string;
  /** How a native copy reads it, so that it lands as the type that Waybill gives the column. */
  readonly selected: string;
}

/** Key first, as Waybill lands them. The uuid lands as text on both sides. */
export const columns: readonly BenchColumn[] = [
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

const makeTable = /*sql*/ `
  create table public.orders (
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

/** Every value follows from the number of the row; six rows in a thousand share their last-modified value. */
const fillTable = /*sql*/ `
  insert into public.orders
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

const finishTable = [
  /*sql*/ `alter table public.orders add primary key (id)`,
  /*sql*/ `create index orders_by_tenant on public.orders (tenant, updated_at, id)`,
  /*sql*/ `vacuum (analyze) public.orders`,
  /*sql*/ `checkpoint`,
];

export async function createSourceRows(source: pg.Client, rows: number): Promise<void> {
  await source.query(/*sql*/ `set maintenance_work_mem to '512MB'`);
  await source.query(makeTable);
  await source.query(fillTable, [rows, tenantId]);
  for (const statement of finishTable) await source.query(statement);
}

/** Bytes of a row as text, the measure that the API reports volumes in. */
export async function measureRowBytes(source: pg.Client): Promise<number> {
  const { rows } = await source.query<{
    bytes: string;
  }>(/*sql*/ `select avg(length(row(orders.*)::text)) as bytes
      from (select * from public.orders limit 10000) as orders`);
  return Number(rows[0]?.bytes);
}
