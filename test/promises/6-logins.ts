import type { System } from '../harness/system.ts';
import type { Customer, Vendor } from '../harness/vendor.ts';
import { createVendor } from '../harness/vendor.ts';

/** A login of one test, that owns nothing and may do nothing but what it is granted. */
export interface Login extends AsyncDisposable {
  readonly name: string;
  readonly password: string;
}

export interface Place {
  readonly sql: Vendor['sql'];
  readonly database: Vendor['database'];
}

/** Roles belong to the server, which other tests use: this one has the name of its database. */
export async function createLogin({ sql, database }: Place, options = ''): Promise<Login> {
  const name = `login_${database.name}`;
  const password = 'first password';
  await sql.query(/*sql*/ `create role ${name} login password '${password}' ${options}`);
  return {
    name,
    password,
    async [Symbol.asyncDispose]() {
      await sql.query(/*sql*/ `reassign owned by ${name} to current_user`);
      await sql.query(/*sql*/ `drop owned by ${name}`);
      await sql.query(/*sql*/ `drop role ${name}`);
    },
  };
}

/** A vendor whose source is read by a login that may do just that. */
export async function createReadVendor(system: System): Promise<Vendor & { login: Login }> {
  const vendor = await createVendor(system);
  const login = await createLogin(vendor);
  await vendor.sql.query(/*sql*/ `grant select on orders to ${login.name}`);
  await patchSource(system, vendor, loginBlock(login));
  return {
    ...vendor,
    login,
    async [Symbol.asyncDispose]() {
      await login[Symbol.asyncDispose]();
      await vendor[Symbol.asyncDispose]();
    },
  };
}

/** Changes how the vendor's source is connected to. */
export async function patchSource(
  system: System,
  { sourceName }: Pick<Vendor, 'sourceName'>,
  postgres: object,
): Promise<void> {
  type Known = { sources: { id: string; name: string }[] };
  const { sources } = await system.api<Known>('GET', '/sources');
  const id = sources.find(({ name }) => name === sourceName)?.id;
  await system.api('PATCH', `/sources/${id}`, { source: { postgres } });
}

/** Lets the destination be written by a login that may make a schema in its database. */
export async function writeAs(system: System, customer: Customer, login: Login): Promise<void> {
  const { sql, database, destinationId } = customer;
  await sql.query(/*sql*/ `grant create on database ${database.name} to ${login.name}`);
  const destination = { postgres: loginBlock(login) };
  await system.api('PATCH', `/destinations/${destinationId}`, { destination });
}

export function loginBlock({ name, password }: Omit<Login, keyof AsyncDisposable>): object {
  return { password_auth: { username: name, password } };
}
