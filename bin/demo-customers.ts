import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { connect, type Login } from './demo-vendor.ts';

/** A database of a customer, whose login owns it and nothing else. */
export async function createCustomer(server: Login, name: string): Promise<Login> {
  const login = {
    host: server.host,
    port: server.port,
    database: `customer_${name}`,
    user: `waybill_${name}`,
    password: makePassword(),
  };
  const admin = await connect(server);
  try {
    const user = pg.escapeIdentifier(login.user);
    await admin.query(
      /*sql*/ `create role ${user} login password ${pg.escapeLiteral(login.password)}`,
    );
    await admin.query(
      /*sql*/ `create database ${pg.escapeIdentifier(login.database)} owner ${user}`,
    );
  } finally {
    await admin.end();
  }
  return login;
}

/** With characters that would break an address built from parts. */
export function makePassword(): string {
  return `${randomBytes(12).toString('base64url')} '/@:%`;
}

/** A point in the life of a database, to count from. */
export async function markNow(customer: pg.Client): Promise<string> {
  const { rows } = await customer.query<{ id: string }>(
    /*sql*/ `select pg_current_xact_id()::text as id`,
  );
  return rows[0]?.id ?? '0';
}

export interface Contents {
  readonly rows: number;
  /** Rows that were written after the mark; Postgres keeps the writing transaction with each row. */
  readonly written: number;
}

/** What stands in the customer's table, as its owner sees it. */
export async function inspect(customer: pg.Client, table: string, mark: string): Promise<Contents> {
  const { rows } = await customer.query<{ rows: string; written: string }>(
    /*sql*/ `
    select count(*) as rows,
      count(*) filter (where xmin::text::bigint > $1::bigint) as written from ${table}`,
    [mark],
  );
  return { rows: Number(rows[0]?.rows), written: Number(rows[0]?.written) };
}
