import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Transfer } from '../../api/transfer-object.ts';
import { createSystem, type System } from '../harness/system.ts';
import { submit, transfer, waitForEnd } from '../harness/transfers.ts';
import {
  createCustomer,
  createVendor,
  fill,
  modelColumns,
  publish,
  type Customer,
  type Vendor,
} from '../harness/vendor.ts';

let system: System;
let vendor: Vendor;
let customer: Customer;

beforeAll(async () => {
  system = await createSystem({ limits: { batchRowsMax: 200 } });
  vendor = await createVendor(system);
  await fill(vendor.sql, 'acme', { rows: 2000, days: 30 });
  customer = await createCustomer(system, { vendor, tenant: 'acme' });
  await transfer(system, customer.destinationId);
});
afterAll(async () => {
  await customer[Symbol.asyncDispose]();
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

async function patch(model: object): Promise<void> {
  await system.api('PATCH', `/models/${vendor.modelId}`, { model });
}

const column = (name: string, type = 'string') => ({
  ...{ name_in_source: name, name_in_destination: name, data_type: type },
});

async function fillings(): Promise<Transfer[]> {
  const { transfers } = await system.api<{ transfers: Transfer[] }>(
    'GET',
    `/transfers?destination_id=${customer.destinationId}&page_size=100`,
  );
  return transfers.filter(({ trigger }) => trigger === 'backfill');
}

async function stateOf(name: string) {
  const { sql, table } = customer;
  const { rows } = await sql.query<{ empty: number; watermark: string }>(
    `select count(*) filter (where ${name} is null)::int as empty,
      (select watermark::text from vendor_data._waybill_load) as watermark from ${table}`,
  );
  return rows[0];
}

describe('a model that customers already have', () => {
  test('gets a column that is filled in all their rows, without a step of the watermark', async () => {
    await vendor.sql.query(`alter table orders add extra text default 'filled'`);
    await patch({ backfill_new_columns: true, columns: [...modelColumns(), column('extra')] });
    await transfer(system, customer.destinationId);
    const before = await stateOf('extra');
    const done = async () => (await fillings()).map(({ status }) => status);
    await expect.poll(done, { timeout: 30_000 }).toEqual(['SUCCESS']);
    expect(await stateOf('extra')).toEqual({ ...before, empty: 0 });
    const [filling] = await fillings();
    expect(filling).toMatchObject({ is_full_refresh: false, start_transfer_window_at: null });
    expect(filling?.end_transfer_window_at).not.toBeNull();
  });

  test('is filled beside transfers that keep coming, all of which go first', async () => {
    await vendor.sql.query(`alter table orders add more text default 'filled'`);
    await patch({ columns: [...modelColumns(), column('extra'), column('more')] });
    const ids: string[] = [];
    for (let round = 0; round < 6; round += 1) {
      await vendor.sql.query(
        `update orders set note = 'round ${round}', changed_at = now() where id % 50 = ${round}`,
      );
      ids.push(await submit(system, customer.destinationId, { tags: { round: String(round) } }));
      await waitForEnd(system, ids.at(-1) ?? '');
    }
    const open = async () => (await fillings()).filter(({ ended_at: end }) => end === null);
    await expect.poll(open, { timeout: 60_000 }).toEqual([]);
    expect(await stateOf('more')).toMatchObject({ empty: 0 });
    const query = (from: string) =>
      `select count(*)::int as rows, md5(string_agg(concat_ws('|', id, total, extra, more, changed_at), ','
        order by id)) as hash from ${from}`;
    const { rows: expected } = await vendor.sql.query(query(`orders where tenant = 'acme'`));
    expect((await customer.sql.query(query(customer.table))).rows).toEqual(expected);
  });

  test('refuses a wider type without the switch, and widens every copy with it', async () => {
    await vendor.sql.query(`alter table orders add count int default 7`);
    const others = [...modelColumns(), column('extra'), column('more')];
    await patch({ columns: [...others, column('count', 'integer')] });
    await transfer(system, customer.destinationId);
    await vendor.sql.query(`alter table orders alter count type bigint`);
    const wide = { columns: [...others, column('count', 'bigint')] };
    const path = `/models/${vendor.modelId}`;
    const refused = await system.ask({ method: 'PATCH', path, body: { model: wide } });
    expect(refused.status).toBe(400);
    expect(refused.message).toMatch(
      /"count" is integer and cannot become bigint\. Set allow_widening/,
    );
    await patch({ ...wide, allow_widening: true });
    await vendor.sql.query(
      `update orders set count = 9000000000, changed_at = now() where tenant = 'acme'`,
    );
    await transfer(system, customer.destinationId);
    const { rows } = await customer.sql.query(`select distinct count from ${customer.table}`);
    expect(rows).toEqual([{ count: '9000000000' }]);
  });

  test('keeps a column that it has no more, with its values, and never takes the name again', async () => {
    const columns = [...modelColumns(), column('extra'), column('count', 'bigint')];
    await patch({ columns });
    await vendor.sql.query(
      `insert into orders (tenant, id, changed_at) values ('acme', 9001, now())`,
    );
    await transfer(system, customer.destinationId);
    const { rows } = await customer.sql.query(
      `select count(more)::int as kept, count(*) filter (where more is null)::int as empty
        from ${customer.table}`,
    );
    expect(rows).toEqual([{ kept: 2000, empty: 1 }]);
    const refused = await system.ask({
      ...{ method: 'PATCH', path: `/models/${vendor.modelId}` },
      body: { model: { columns: [...columns, column('more')] } },
    });
    expect(refused).toMatchObject({
      status: 400,
      message: expect.stringContaining('"more" before'),
    });
  });

  test('is joined by another, which is made and filled, and stays when it is deleted', async () => {
    const { sourceName } = vendor;
    const modelName = `later_${vendor.modelName}`;
    const id = await publish(system, { sourceName, modelName, table: 'orders' });
    const destination = `/destinations/${customer.destinationId}`;
    const enabled_models = [vendor.modelName, modelName];
    await system.api('PATCH', destination, { destination: { enabled_models } });
    await transfer(system, customer.destinationId);
    const count = async () =>
      (await customer.sql.query(`select count(*)::int as rows from vendor_data.${modelName}`)).rows;
    expect(await count()).toEqual([{ rows: 2001 }]);
    await system.api('DELETE', `/models/${id}`);
    await vendor.sql.query(
      `insert into orders (tenant, id, changed_at) values ('acme', 9002, now())`,
    );
    await transfer(system, customer.destinationId);
    expect(await count()).toEqual([{ rows: 2001 }]);
    await expect(
      publish(system, {
        sourceName,
        modelName: `again_${modelName}`,
        table: 'orders',
        destinationTable: modelName,
      }),
    ).rejects.toThrow('was used before');
  });
});
