import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Batch } from '../connector.ts';
import type { LoadPlan } from '../../domain/load.ts';
import { must } from '../../lib/must.ts';
import { Ends, connectAs, epochOf, going, modelOf } from '../../test/harness/postgres-ends.ts';

const rows = 120_000;
const table = modelOf([
  ['at', 'timestamp', 'last_modified'],
  ['region', 'string', 'key'],
  ['id', 'integer', 'key'],
  ['note', 'string'],
]);

describe.each([
  ['12', { major: 12 }],
  ['18 with a collation of words', { major: 18, icuLocale: 'en-US' }],
] as const)('publishing on Postgres %s', (_, place) => {
  let ends: Ends;

  beforeAll(async () => {
    ends = await Ends.create(place);
    await ends.source.query(
      `create table things (tenant text, at timestamptz, region text, id int, note text,
        primary key (region, id))`,
    );
    await ends.source.query(
      `insert into things select 'acme', timestamptz '2026-01-01' + n * interval '1 ms',
        (array['eu', 'EU', 'us', 'é', 'z_1', 'Z-1'])[1 + n % 6], n, 'note ' || n
        from generate_series(1, ${rows}) n`,
    );
  });
  afterAll(() => ends[Symbol.asyncDispose]());

  async function expectEqual(): Promise<void> {
    const query = (from: string) =>
      `select count(*)::int as rows, md5(string_agg(region || id || at || note, ',' order by id)) as hash
      from ${from}`;
    const { rows: expected } = await ends.source.query(query('things'));
    const { rows: landed } = await ends.destination.query(query('landed.things'));
    expect(landed).toEqual(expected);
  }

  const refresh = { transferId: 'refresh', encoding: 'copy_binary_messages' } as const;

  async function write(plan: Partial<LoadPlan>, from?: Batch['cursor']): Promise<void> {
    await using source = ends.openSource();
    await using destination = ends.openDestination();
    const load = await destination.open(ends.plan(table, { ...refresh, ...plan }), going);
    const request = ends.request(table, {
      encoding: 'copy_binary_messages',
      resumeAfter: from,
      batchRowsMax: 50_000,
    });
    for await (const batch of source.read(request, going)) await load.write(batch, going);
  }

  async function finish(plan: Partial<LoadPlan>, signal = going): Promise<number | undefined> {
    await using destination = ends.openDestination();
    const load = await destination.open(ends.plan(table, { ...refresh, ...plan }), signal);
    return (await load.finish(ends.close(), signal)).rowsPublished;
  }

  const publishedUpTo = async () => {
    const { rows: found } = await ends.destination.query<{ key: string[] | null }>(
      `select published_up_to as key from landed._waybill_load`,
    );
    return found[0]?.key ?? undefined;
  };

  test('a killed refresh goes on at its last range, and no reader misses a row that stays', async () => {
    await ends.land(table, { encoding: 'copy_binary_messages' });
    await ends.source.query(
      `delete from things where id % 3 = 0; update things set note = 'new' where id % 5 = 0`,
    );
    await ends.source.query(
      `insert into things select 'acme', now(), 'new', n, 'added' from generate_series(1000000, 1001000) n`,
    );
    await write({ epoch: epochOf(2) });

    const reader = await connectAs(ends.to);
    const missing: number[] = [];
    let isOver = false;
    const polling = (async () => {
      while (!isOver) {
        const { rows: found } = await reader.query<{ count: number }>(
          `select count(*)::int as count from landed.things where id % 3 <> 0 and id <= ${rows}`,
        );
        missing.push((rows / 3) * 2 - must(found[0], 'a row').count);
      }
    })();

    const stop = new AbortController();
    const stopped = finish({ epoch: epochOf(2, 1, 2) }, stop.signal).catch(
      (error: unknown) => error,
    );
    await expect.poll(publishedUpTo, { interval: 5, timeout: 30_000 }).toBeDefined();
    stop.abort();
    expect(await stopped).toMatchObject({ kind: 'cancelled' });
    const reached = await publishedUpTo();
    expect(reached).toHaveLength(2);

    expect(await finish({ epoch: epochOf(2, 2, 2) })).toBe((rows / 3) * 2 + 1001);
    isOver = true;
    await polling;
    await reader.end();
    expect(new Set(missing)).toEqual(new Set([0]));
    await expectEqual();
  });

  test('a refresh by nothing takes every row away, in ranges', async () => {
    await ends.source.query(`alter table things rename to kept; create table things (like kept)`);
    await ends.land(table, { ...refresh, transferId: 'empty', epoch: epochOf(3) });
    const { rows: left } = await ends.destination.query('select from landed.things');
    expect(left).toHaveLength(0);
    await ends.source.query(`drop table things; alter table kept rename to things`);
    await ends.land(table, { ...refresh, transferId: 'full', epoch: epochOf(4) });
    await expectEqual();
  });

  test('a first load that could not be published is finished by the next transfer', async () => {
    await ends.destination.query('drop schema landed cascade');
    await write({ epoch: epochOf(5) });
    await ends.destination.query(
      `create table landed.things (v int); insert into landed.things values (1)`,
    );
    await expect(finish({ epoch: epochOf(5, 1, 2) })).rejects.toMatchObject({
      kind: 'schema_conflict',
    });
    await ends.destination.query('drop table landed.things');
    await ends.source.query(`update things set at = now(), note = 'later' where id % 1000 = 1`);
    const next = { ...refresh, transferId: 'next', continues: true };
    await using destination = ends.openDestination();
    const { progress } = await destination.open(
      ends.plan(table, { ...next, epoch: epochOf(6) }),
      going,
    );
    expect(progress.attempts).toBe(3);
    await write({ ...next, epoch: epochOf(6, 2) }, progress.resumeAfter);
    await finish({ ...next, epoch: epochOf(6, 1, 2) });
    await expectEqual();
  });
});
