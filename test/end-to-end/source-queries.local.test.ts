import { afterAll, beforeAll, expect, test } from 'vitest';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { transfer } from '../harness/transfers.ts';
import type { Vendor } from '../harness/vendor.ts';
import {
  createCustomer,
  createVendor,
  fill,
  modelColumns,
  rowsAtCustomer,
  rowsAtSource,
} from '../harness/vendor.ts';

// A model that reads a query, from its validation to the rows at two customers.

let system: System;
let vendor: Vendor;

beforeAll(async () => {
  system = await createSystem();
  vendor = await createVendor(system);
});

afterAll(async () => {
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

const join = `with own as (select * from orders where tenant = '{{.IdInProviderSystem}}')
  select own.*, notes.note from own left join order_notes notes using (id)
  where extract(epoch from own.changed_at) >= {{.LastModifiedAtEpoch}} - 30
  {{- with .LastModifiedAtEpochUpperBound}} and extract(epoch from own.changed_at) < {{.}}{{end}}; -- by id`;

async function modelOf(source_query: string) {
  const model = { source_query, model_validation_id_in_provider_system: "o'neil" };
  return system.ask({ method: 'PATCH', path: `/models/${vendor.modelId}`, body: { model } });
}

test('rows of a query arrive, change and keep to their tenant', async () => {
  await vendor.sql.query(/*sql*/ `alter table orders rename column note to old_note;
    create table order_notes (id bigint primary key, note text)`);
  await vendor.sql.query(/*sql*/ `create view filled as
    select tenant, id, total, old_note as note, is_paid, due_on, body, changed_at from orders`);
  for (const [tenant, from] of [
    [`o'neil`, 1],
    ['other', 1000],
  ] as const) {
    await fill(vendor.sql, tenant, { rows: 500, from, table: 'filled' });
  }
  await vendor.sql.query(/*sql*/ `insert into order_notes select id, old_note from orders`);
  expect(await modelOf(join)).toMatchObject({ status: 200 });
  await using customer = await createCustomer(system, { vendor, tenant: `o'neil` });
  await using other = await createCustomer(system, { vendor, tenant: 'other' });
  await transfer(system, customer.destinationId);
  await transfer(system, other.destinationId);
  const atSource = (tenant: string) => rowsAtSource(vendor, tenant, 'filled');
  expect(await rowsAtCustomer(customer)).toEqual(await atSource(`o'neil`));
  expect(await rowsAtCustomer(other)).toEqual(await atSource('other'));

  await vendor.sql.query(
    /*sql*/ `update orders set total = -1, changed_at = now() where id % 7 = 0`,
  );
  await transfer(system, customer.destinationId);
  expect(await rowsAtCustomer(customer)).toEqual(await atSource(`o'neil`));
  await transfer(system, customer.destinationId, {
    start_transfer_window_at: new Date(Date.now() - 86_400_000).toISOString(),
    end_transfer_window_at: new Date().toISOString(),
  });
  expect(await rowsAtCustomer(customer)).toEqual(await atSource(`o'neil`));
});

test('a validation shows the statement without its values, and the plan where it is asked for', async () => {
  const ask = async (body: object) =>
    system.api<{ status: string; sql: string; plan: string | null; warnings: { path: string }[] }>(
      'POST',
      `/models/${vendor.modelId}/validate`,
      body,
    );
  const plain = await ask({});
  expect(plain).toMatchObject({ status: 'success', plan: null });
  expect(plain.sql).toContain(`where tenant = '***'`);
  const planned = await ask({
    plan: true,
    model: { source_query: null, source_table: 'public.filled' },
  });
  expect(planned.plan).toContain('on orders');
  expect(planned.sql).toContain('from "public"."filled" q where');
  expect(JSON.stringify([plain, planned])).not.toContain(`neil`);
  const refused = await ask({ plan: true, model: { source_query: 'select 1 as id' } });
  expect(refused).toMatchObject({ status: 'error', sql: null, plan: null });
});

test('a query that cannot be right is refused when the model is written', async () => {
  const columns = modelColumns() as { name_in_source: string }[];
  const list = columns.map(({ name_in_source: name }) => name).join(', ');
  const refused = [
    ['select {{.Tenant}}', 'there is no placeholder .Tenant'],
    ['select * from orders; drop table orders', 'one statement'],
    [`select ${list} from filled`, 'nothing would keep the rows of other tenants'],
    ['select * from nowhere', 'not at the source'],
    ['select tenant, id from orders', 'source_query has no column'],
  ] as const;
  for (const [source_query, message] of refused) {
    const answer = await modelOf(source_query);
    expect(answer).toMatchObject({ status: 400, message: expect.stringContaining(message) });
  }
  expect(
    await modelOf(`select ${list} from filled where tenant = {{.IdInProviderSystem}}`),
  ).toMatchObject({ status: 200 });
});
