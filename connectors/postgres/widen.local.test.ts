import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { planEvolution } from '../../domain/evolution.ts';
import { landedTableOf } from '../../domain/landed-table.ts';
import type { SharedTable } from '../../domain/model.ts';
import { connectAs, Ends, epochOf, modelOf } from '../../test/harness/postgres-ends.ts';

/** Two revisions of one model: key and count are integers, then bigints. */
const revision = (type: string) =>
  modelOf(
    [
      ['at', 'timestamp', 'last_modified'],
      ['id', type, 'key'],
      ['count', type],
      ['note', 'string'],
    ],
    { allow_widening: type === 'bigint' },
  );
const narrow = revision('integer');
const wide = revision('bigint');

describe.each([['12'], ['18']] as const)('widening a column on Postgres %s', (major) => {
  let ends: Ends;

  beforeAll(async () => {
    ends = await Ends.create({ major: Number(major) as 12 | 18 });
  });
  afterAll(() => ends[Symbol.asyncDispose]());

  beforeEach(async () => {
    await ends.destination.query('drop schema if exists landed cascade');
    await ends.source.query(`drop table if exists things;
      create table things (tenant text, at timestamptz, id int primary key, count int, note text);
      insert into things select 'acme', timestamptz '2026-01-01' + n * interval '1 s', n, n, 'note ' || n
        from generate_series(1, 200) n`);
    await ends.land(narrow);
  });

  async function widen(table: SharedTable = wide): Promise<string[]> {
    await using destination = ends.openDestination();
    const landed = landedTableOf(table);
    const steps = planEvolution(landed, await destination.describe(landed.name));
    await destination.apply({ modelId: table.modelName, table: landed, steps });
    return steps.map(({ kind }) => kind);
  }

  async function typesOf(): Promise<string> {
    const { rows } = await ends.destination.query<{ types: string }>(
      `select string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum) as types
        from pg_attribute where attrelid = 'landed.things'::regclass and attnum > 0 and not attisdropped`,
    );
    return rows[0]?.types ?? '';
  }
  const wideTypes = 'id bigint, at timestamp with time zone, count bigint, note text';

  async function expectEqual(): Promise<void> {
    const query = (from: string) =>
      `select id::text, count::text, note, at from ${from} order by id`;
    const { rows: expected } = await ends.source.query(query('things'));
    expect((await ends.destination.query(query('landed.things'))).rows).toEqual(expected);
  }

  test('keeps the rows, the key and its name, and takes what only the wider type can hold', async () => {
    await ends.source.query(`alter table things alter id type bigint, alter count type bigint`);
    expect(await widen()).toEqual(['widen_column', 'widen_column']);
    expect(await typesOf()).toBe(wideTypes);
    await ends.source.query(
      `insert into things values ('acme', now(), 9000000000, 9000000001, 'wide')`,
    );
    await ends.land(wide, { mode: 'merge', transferId: 'second', epoch: epochOf(2) });
    await expectEqual();
    const { rows } = await ends.destination.query(
      `select conname from pg_constraint where conrelid = 'landed.things'::regclass and contype = 'p'`,
    );
    expect(rows).toEqual([{ conname: 'things_pkey' }]);
  });

  test('is done once, however often and by however many it is asked for', async () => {
    const before = await Promise.all([widen(), widen(), widen()]);
    expect(before.flat().every((kind) => kind === 'widen_column')).toBe(true);
    expect(await typesOf()).toBe(wideTypes);
    expect(await widen()).toEqual([]);
    await expectEqual();
  });

  test('does not cut down what somebody widened further meanwhile', async () => {
    await using destination = ends.openDestination();
    const landed = landedTableOf(wide);
    const steps = planEvolution(landed, await destination.describe(landed.name));
    await ends.destination.query(`alter table landed.things alter count type numeric`);
    await destination.apply({ modelId: wide.modelName, table: landed, steps });
    expect(await typesOf()).toBe(wideTypes.replace('count bigint', 'count numeric'));
    expect(() => planEvolution(landed, undefined)).not.toThrow();
    await expect(widen()).rejects.toMatchObject({ kind: 'schema_conflict' });
  });

  test('waits three seconds for a reader, lets others pass, and is done when asked again', async () => {
    const reader = await connectAs(ends.to);
    await reader.query('begin; select from landed.things');
    await expect(widen()).rejects.toMatchObject({ kind: 'destination_busy' });
    await ends.destination.query('select from landed.things');
    await reader.query('commit');
    await reader.end();
    await widen();
    expect(await typesOf()).toBe(wideTypes);
  });

  test('is refused by a view of the customer with a sentence that says what to do, and changes nothing', async () => {
    await ends.destination.query(`create view landed.theirs as select count from landed.things`);
    await expect(widen(revision('bigint'))).rejects.toMatchObject({
      kind: 'schema_conflict',
      message: expect.stringMatching(
        /Column count of table things .* become bigint, and a view.* Drop/,
      ),
    });
    await ends.destination.query(`drop view landed.theirs`);
    await widen();
    await expectEqual();
  });

  test('a transfer that was frozen before it lands in the wider column, and nothing goes back', async () => {
    await widen();
    await ends.source.query(`update things set count = -count, at = now() where id % 2 = 0`);
    expect(await widen(narrow)).toEqual([]);
    for (const encoding of ['copy_text_messages', 'copy_binary_messages'] as const) {
      const epoch = epochOf(encoding === 'copy_text_messages' ? 2 : 3);
      await ends.land(narrow, { mode: 'merge', transferId: encoding, encoding, epoch });
      await expectEqual();
    }
    expect(await typesOf()).toBe(wideTypes);
  });

  test('a full refresh that was frozen before it publishes over keys that only the wider type holds', async () => {
    await widen();
    await ends.destination.query(`insert into landed.things (id, at, count)
      select 9000000000 + n, now(), n from generate_series(1, 60000) n`);
    await ends.land(narrow, { transferId: 'refresh', epoch: epochOf(2) });
    expect(await typesOf()).toBe(wideTypes);
    await expectEqual();
  });

  test('a full refresh widens the live table when it publishes', async () => {
    await ends.source.query(`alter table things alter id type bigint, alter count type bigint;
      update things set count = count * 1000000000`);
    await ends.land(wide, { transferId: 'refresh', epoch: epochOf(2) });
    expect(await typesOf()).toBe(wideTypes);
    await expectEqual();
  });
});
