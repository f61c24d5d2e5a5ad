// Promise 8: schema changes are safe, also where our own two tables at a destination were written into or
// changed: they are read by type, never spliced, and the answer is a sentence, never a raw error.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
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
  await tamper(world, /*sql*/ `create table vendor_data.canary (v int)`);
});

afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

const set = (assignment: string) => /*sql*/ `update vendor_data._waybill_load set ${assignment}`;
const sql = `'''; drop table vendor_data.canary; -- "\\'`;
const huge = `repeat('x', 1000000)`;

/** With names and no values in it. */
const sentence = /^[A-Z][^'"]{20,300}\.$/;

const asIs = 'goes on as if nothing was';
const conflict = 'WBL-SCHM';

test.each([
  ['SQL as an owner', set(`owner = ${sql}`), conflict],
  ['a huge owner', set(`owner = ${huge}`), conflict],
  ['another destination as an owner', set(`owner = 'prod/' || gen_random_uuid()`), conflict],
  ['no id as an owner', set(`owner = 'prod/x'`), conflict],
  ['an owner of another environment', set(`owner = replace(owner, 'prod', 'staging')`), conflict],
  ['SQL as a table', set(`table_name = ${sql}`), conflict],
  ['SQL as a load identity', set(`load_identity = ${sql}`), asIs],
  ['SQL as a transfer', set(`load_transfer_id = ${sql}, load_revision_id = ${sql}`), asIs],
  ['SQL as a state', set(`load_state = ${sql}`), conflict],
  [
    'an unfinished load without its cursor',
    set(`load_state = 'running', load_cursor = null`),
    asIs,
  ],
  ['a huge cursor', set(`load_state = 'running', load_cursor_key = array[${huge}]`), asIs],
  [
    'a hidden table that is the live one',
    set(`staged_name = table_name, staged_oid = 'LIVE'::regclass::oid::bigint,
    staged_filenode = pg_relation_filenode('LIVE')`),
    conflict,
  ],
  ['a schema that is a list', set(`applied_table = '[]'`), conflict],
  [
    'a schema of numbers',
    set(`applied_table = '{"name": 1, "columns": {}, "key": null}'`),
    conflict,
  ],
  ['a huge schema', set(`applied_table = to_jsonb(${huge})`), conflict],
  [
    'a watermark before all time',
    set(`watermark = '-infinity', greatest = '-infinity', fence = '-infinity'`),
    asIs,
  ],
  ['a watermark out of range', set(`watermark = '4714-11-24 BC', fence = '4714-11-24 BC'`), asIs],
  ['a negative epoch', set('epoch_step = -1'), conflict],
  ['an epoch beyond all', set('epoch_started_at_micros = 9223372036854775807'), conflict],
  ['an epoch in the far future', set('epoch_started_at_micros = 8000000000000000'), 'WBL-INTL'],
  ['no row', /*sql*/ `delete from vendor_data._waybill_load`, conflict],
  ['a bookkeeping table that is gone', /*sql*/ `drop table vendor_data._waybill_load`, conflict],
  [
    'a bookkeeping column that is gone',
    /*sql*/ `alter table vendor_data._waybill_load
    drop column watermark`,
    conflict,
  ],
  [
    'a bookkeeping column of text',
    /*sql*/ `alter table vendor_data._waybill_load
    alter column watermark type text using 'no instant'`,
    conflict,
  ],
  [
    'a trigger on the bookkeeping',
    /*sql*/ `create function vendor_data.refuse() returns trigger
    language plpgsql as $$ begin raise 'canary %', old; end $$;
    create trigger refuse before update on vendor_data._waybill_load
      for each row execute function vendor_data.refuse()`,
    conflict,
  ],
] as const)('%s', async (_, statements, answer) => {
  await using _saved = await saveTables();
  await tamper(world, statements);
  const before = await everythingAt(world);
  const { status, code, message } = await transferChanges(world);
  if (answer === asIs) {
    expect({ status, message }).toEqual({ status: 'SUCCESS', message: '' });
    await expectLanded(world, { expect });
  } else {
    expect.soft({ status, code, message }).toMatchObject({ status: 'ERROR', code: answer });
    expect.soft(message).toMatch(sentence);
    expect(await everythingAt(world)).toEqual(before);
  }
  expect(system.answered.join()).not.toMatch(/canary|xxxxx/);
});

const status = 'vendor_data._transfer_status';

test.each([
  [
    'of another type',
    `alter table ${status} alter rows_transferred type boolean using true`,
    'WBL-TYPE',
  ],
  [
    'that is a view',
    `alter table ${status} rename to _kept;
    create view ${status} as select distinct * from vendor_data._kept`,
    conflict,
  ],
  ['without a key', `alter table ${status} drop constraint _transfer_status_pkey`, conflict],
  ['with a name changed', `alter table ${status} rename transfer_id to id`, conflict],
] as const)(
  'a status table %s is told when the rows have landed',
  async (_, statements, answer) => {
    await using _saved = await saveTables();
    await tamper(world, statements);
    const { code, message } = await transferChanges(world);
    expect({ code, message }).toMatchObject({
      code: answer,
      message: expect.stringMatching(sentence),
    });
    await expectLanded(world, { expect });
  },
);

test('a status table that has gone is made again', async () => {
  await tamper(world, `drop table ${status}`);
  expect(await transferChanges(world)).toMatchObject({ status: 'SUCCESS' });
  const { rows } = await world.customer.sql.query(`select from ${status}`);
  expect(rows).toHaveLength(1);
});

test('once our tables are as we left them, the next transfer brings everything', async () => {
  expect(await transferChanges(world)).toMatchObject({ status: 'SUCCESS' });
  await expectLanded(world, { expect });
});

/** Keeps both tables as they are, and puts them back whatever was done to them. */
async function saveTables(): Promise<AsyncDisposable> {
  const { sql: client } = world.customer;
  const tables = ['_waybill_load', '_transfer_status'];
  for (const table of tables) {
    await client.query(/*sql*/ `create table public.${table} (like vendor_data.${table} including all);
      insert into public.${table} select * from vendor_data.${table}`);
  }
  return {
    async [Symbol.asyncDispose]() {
      await client.query(/*sql*/ `drop function if exists vendor_data.refuse cascade`);
      await client.query(/*sql*/ `drop table if exists vendor_data._kept cascade`);
      for (const table of tables) {
        const { rows } = await client.query<{ kind: string }>(
          /*sql*/ `select case relkind when 'v' then 'view' else 'table' end as kind from pg_class
            where oid = to_regclass($1)`,
          [`vendor_data.${table}`],
        );
        if (rows[0]) await client.query(`drop ${rows[0].kind} vendor_data.${table}`);
        await client.query(`alter table public.${table} set schema vendor_data`);
      }
    },
  };
}
