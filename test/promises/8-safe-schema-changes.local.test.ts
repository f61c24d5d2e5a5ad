// Promise 8: schema changes are safe. They are additive only, computed against what was last applied, may be
// repeated, and are refused early with a sentence that says why; what is refused has changed nothing.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { submit, waitForEnd } from '../harness/transfers.ts';
import { connect, modelColumns } from '../harness/vendor.ts';
import {
  createWorld,
  everythingAt,
  expectLanded,
  tamper,
  transferChanges,
  type World,
} from './8-world.ts';

let system: System;
let world: World;

beforeAll(async () => {
  system = await createSystem();
  world = await createWorld(system);
});

afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

/** What the customer did to the table, how it is undone, and the answer that the documents give. */
test.each([
  [
    'a column dropped',
    'alter table LIVE drop remark',
    'add remark text',
    'Column remark .* has been dropped',
  ],
  [
    'a column renamed',
    'alter table LIVE rename remark to note',
    'rename note to remark',
    'Column remark .* has been dropped',
  ],
  [
    'a column of another type',
    'alter table LIVE alter total type double precision',
    'alter total type numeric',
    'Column total .* is double precision; the model says decimal',
  ],
  [
    'a column that is generated',
    'alter table LIVE drop remark, add remark text generated always as (id::text) stored',
    'alter remark drop expression',
    'Column remark .* is text generated',
  ],
  [
    'the key dropped',
    'alter table LIVE drop constraint KEY',
    'add constraint KEY primary key (id)',
    'has lost its primary key \\(id\\)',
  ],
  [
    'another key',
    `alter table LIVE drop constraint KEY, alter due_on set not null,
      add constraint KEY primary key (id, due_on)`,
    'drop constraint KEY, alter due_on drop not null, add constraint KEY primary key (id)',
    'has the primary key \\(id, due_on\\); it should be \\(id\\)',
  ],
] as const)(
  '%s by hand is refused and named, and nothing is written',
  async (_, change, back, says) => {
    const key = `${world.vendor.modelName}_pkey`;
    await tamper(world, change.replaceAll('KEY', key));
    const before = await everythingAt(world);
    const { code, message } = await transferChanges(world);
    expect.soft(code).toBe('WBL-SCHM');
    expect.soft(message).toMatch(new RegExp(says));
    expect.soft(await everythingAt(world)).toEqual(before);
    await tamper(world, `alter table LIVE ${back.replaceAll('KEY', key)}`);
    expect(await transferChanges(world, { full_refresh: true })).toMatchObject({
      status: 'SUCCESS',
    });
    await expectLanded(world, { expect });
  },
);

test.each([
  [
    'renamed',
    'alter table LIVE rename to theirs',
    'WBL-MISS',
    'alter table vendor_data.theirs rename to NAME',
  ],
  [
    'replaced by a view',
    'alter table LIVE rename to theirs; create view LIVE as select * from vendor_data.theirs',
    'WBL-SCHM',
    'drop view LIVE; alter table vendor_data.theirs rename to NAME',
  ],
  [
    'replaced by a materialised view',
    'alter table LIVE rename to theirs; create materialized view LIVE as select * from vendor_data.theirs',
    'WBL-SCHM',
    'drop materialized view LIVE; alter table vendor_data.theirs rename to NAME',
  ],
  [
    'replaced by a partitioned table',
    'alter table LIVE rename to theirs; create table LIVE (like vendor_data.theirs) partition by list (id)',
    'WBL-SCHM',
    'drop table LIVE; alter table vendor_data.theirs rename to NAME',
  ],
] as const)(
  'a table that was %s is not written to, nor made again with a fragment',
  async (_, change, code, back) => {
    await tamper(world, change);
    const before = await everythingAt(world);
    expect.soft(await transferChanges(world)).toMatchObject({ status: 'ERROR', code });
    expect.soft(await everythingAt(world)).toEqual(before);
    await tamper(world, back.replaceAll('NAME', world.vendor.modelName));
    expect(await transferChanges(world)).toMatchObject({ status: 'SUCCESS' });
    await expectLanded(world, { expect });
  },
);

test('a table that was dropped is missed by an increment and made again by a full refresh', async () => {
  await tamper(world, 'drop table LIVE');
  const before = await everythingAt(world);
  expect(await transferChanges(world)).toMatchObject({ status: 'ERROR', code: 'WBL-MISS' });
  expect(await everythingAt(world)).toEqual(before);
  expect(await transferChanges(world, { full_refresh: true })).toMatchObject({ status: 'SUCCESS' });
  await expectLanded(world, { expect });
  expect(await transferChanges(world)).toMatchObject({ status: 'SUCCESS' });
  await expectLanded(world, { expect });
});

test('what the customer added stays: columns, indexes, checks that hold, and a comment', async () => {
  await tamper(
    world,
    `alter table LIVE add theirs text default 'kept', add check (id > 0);
    create index their_index on LIVE (remark); comment on column LIVE.total is 'theirs'`,
  );
  for (const body of [{}, { full_refresh: true }]) {
    expect(await transferChanges(world, body)).toMatchObject({ status: 'SUCCESS' });
    await expectLanded(world, { expect });
  }
  const { rows } = await world.customer.sql.query(
    `select distinct theirs, to_regclass('vendor_data.their_index') is not null as index
      from ${world.customer.table}`,
  );
  expect(rows).toEqual([{ theirs: 'kept', index: true }]);
});

test('a column that waits for a reader of the table is added once the reader lets go', async () => {
  const { vendor, customer } = world;
  const reader = await connect(customer.database);
  await reader.query(`begin; select from ${customer.table}`);
  await vendor.sql.query(/*sql*/ `alter table orders add extra text default 'new'`);
  const extra = { name_in_source: 'extra', name_in_destination: 'extra', data_type: 'string' };
  await system.api('PATCH', `/models/${vendor.modelId}`, {
    model: { columns: [...modelColumns(), extra] },
  });
  await vendor.sql.query(/*sql*/ `update orders set changed_at = now()`);
  const id = await submit(system, customer.destinationId);
  const isBusy = () =>
    system.logged.some((line) => line.includes(id) && line.includes('destination_busy'));
  await expect.poll(isBusy, { timeout: 30_000 }).toBe(true);
  // Meanwhile nobody queues behind the change for longer than its few seconds.
  await customer.sql.query(`select from ${customer.table}`);
  await reader.query('commit');
  await reader.end();
  expect(await waitForEnd(system, id)).toMatchObject({ status: 'SUCCESS' });
  const { rows } = await customer.sql.query(`select distinct extra from ${customer.table}`);
  expect(rows).toEqual([{ extra: 'new' }]);
  await expectLanded(world, { expect });
});
