import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodings } from '../../domain/load.ts';
import {
  landedTexts,
  madeTypes,
  specimensOf,
  type Specimen,
} from '../../test/promises/4-specimens.ts';
import { Ends, epochOf, going, modelOf } from '../../test/harness/postgres-ends.ts';

/** Both ends with every setting that is known to change values on the way. */
const hostileSettings = [
  `datestyle = 'SQL, DMY'`,
  `intervalstyle = 'sql_standard'`,
  `timezone = 'Asia/Kolkata'`,
  'extra_float_digits = 0',
  `bytea_output = 'escape'`,
  `xmloption = 'document'`,
  'array_nulls = off',
  'default_transaction_read_only = off',
];

describe.each([12, 15, 18] as const)('values of Postgres %i', (major) => {
  let ends: Ends;
  let started = 1;

  beforeAll(async () => {
    ends = await Ends.create({ major });
    await ends.source.query(madeTypes);
    for (const place of [ends.from, ends.to]) {
      const client = place === ends.from ? ends.source : ends.destination;
      for (const setting of hostileSettings)
        await client.query(`alter database ${place.name} set ${setting}`);
    }
  });
  afterAll(() => ends[Symbol.asyncDispose]());

  async function check(one: Specimen): Promise<void> {
    await ends.source.query('drop table if exists things');
    await ends.source.query(
      `create table things (tenant text, at timestamptz default now(), id int primary key, v ${one.type})`,
    );
    for (const [index, value] of one.values.entries()) {
      await ends.source.query(
        `insert into things (tenant, id, v) values ('acme', ${index}, ${value})`,
      );
    }
    const table = modelOf([
      ['at', 'timestamp', 'last_modified'],
      ['id', 'integer', 'key'],
      ['v', one.as],
    ]);
    const expected = landedTexts(one);
    await using source = ends.openSource();
    const offered = await source.encodings(table);
    expect([...offered].sort()).toEqual([...(one.encodings ?? encodings)].sort());
    for (const encoding of offered) {
      for (const mode of ['replace', 'merge'] as const) {
        started += 1;
        await ends.land(table, {
          mode,
          encoding,
          transferId: String(started),
          epoch: epochOf(started),
        });
        const { rows } = await ends.destination.query<{ v: string }>(
          `select format('%s', v) as v from landed.things order by id`,
        );
        expect(rows.map(({ v }) => v)).toEqual(expected);
      }
    }
    await ends.destination.query('drop table landed.things');
    await ends.destination.query('delete from landed._waybill_load');
  }

  test.each(specimensOf(major))('$type declared $as', check);

  test('the closest logical type is offered first, and what would lose is not offered', async () => {
    await ends.source.query(
      `create table typed (a smallint, b bigint, c numeric(20,3), d real, e timetz,
        f text[], g jsonb, h pair, i percent)`,
    );
    await using source = ends.openSource();
    const columns = await source.describe({ schema: undefined, table: 'typed' });
    expect(columns.map(({ fits }) => fits)).toEqual([
      ['integer', 'bigint', 'decimal', 'float', 'string'],
      ['bigint', 'decimal', 'string'],
      ['decimal', 'string'],
      ['float', 'string'],
      ['string'],
      ['array', 'json', 'string'],
      ['json', 'array', 'string'],
      ['json', 'string'],
      ['integer', 'bigint', 'decimal', 'float', 'string'],
    ]);
  });

  test('what jsonb cannot hold is refused with the column, and without the value', async () => {
    await ends.source.query(
      `create table broken (tenant text, at timestamptz default now(), id int primary key, doc json)`,
    );
    await ends.source.query(
      `insert into broken values ('acme', now(), 1, '{"canary":"x\\u0000y"}')`,
    );
    const table = modelOf(
      [
        ['at', 'timestamp', 'last_modified'],
        ['id', 'integer', 'key'],
        ['doc', 'json'],
      ],
      {
        source_table: 'broken',
        model_name: 'broken',
      },
    );
    const landing = ends.land(table);
    await expect(landing).rejects.toMatchObject({
      kind: 'value_refused',
      message: expect.stringContaining('column doc'),
    });
    await expect(landing).rejects.not.toMatchObject({ message: expect.stringContaining('canary') });
    await using source = ends.openSource();
    const batches = await Array.fromAsync(source.read(ends.request(table), going));
    expect(batches).toHaveLength(1);
  });
});
