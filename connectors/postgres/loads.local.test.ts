import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Batch, Load } from '../connector.ts';
import type { LoadPlan } from '../../domain/load.ts';
import type { SharedTable } from '../../domain/model.ts';
import { must } from '../../lib/must.ts';
import { connectAs, Ends, epochOf, going, modelOf } from '../../test/harness/postgres-ends.ts';

const rows = 400;

describe.each([12, 15, 18] as const)('loads into Postgres %i', (major) => {
  let ends: Ends;
  let table: SharedTable;
  let model = 0;

  beforeAll(async () => {
    ends = await Ends.create({ major });
    await ends.source.query(
      `create table things (tenant text, at timestamptz, id int primary key, note text)`,
    );
  });
  afterAll(() => ends[Symbol.asyncDispose]());

  beforeEach(async () => {
    model += 1;
    table = modelOf(
      [
        ['at', 'timestamp', 'last_modified'],
        ['id', 'integer', 'key'],
        ['note', 'string'],
      ],
      { model_name: `things_${model}`, description: 'All things' },
    );
    await ends.source.query('truncate things');
    await ends.source.query(
      `insert into things select 'acme', timestamptz '2026-01-01' + n / 3 * interval '1 s', n, 'note ' || n
       from generate_series(1, ${rows}) n`,
    );
  });

  const live = () => `landed.things_${model}`;

  async function expectEqual(): Promise<void> {
    const query = (from: string) =>
      `select count(*)::int as rows, md5(string_agg(id || ':' || at || ':' || note, ',' order by id)) as hash
      from ${from}`;
    const source = await ends.source.query(query('things'));
    const destination = await ends.destination.query(query(live()));
    expect(destination.rows).toEqual(source.rows);
  }

  const read = async (resumeAfter?: Batch['cursor'], batchRowsMax = 50) => {
    await using source = ends.openSource();
    return await Array.fromAsync(
      source.read(ends.request(table, { resumeAfter, batchRowsMax }), going),
    );
  };

  const hidden = async () => {
    const { rows: found } = await ends.destination.query<{ name: string }>(
      `select staged_name as name from landed._waybill_load where model_id = $1`,
      [table.modelName],
    );
    return `landed.${found[0]?.name}`;
  };

  const leftovers = async () => {
    const { rows: found } = await ends.destination.query<{ relname: string }>(
      `select relname from pg_class where relkind = 'r' and relname like '\\_waybill\\_copy%'
        and obj_description(oid, 'pg_class') like '% things_${model} here%'`,
    );
    return found.map(({ relname }) => relname);
  };

  /** Writers that wait for more of their COPY. */
  const copying = async () => {
    const { rows: found } = await ends.destination.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity where datname = current_database()
        and application_name = 'waybill-write' and wait_event = 'ClientRead' and state = 'active'`,
    );
    return found[0]?.count;
  };

  async function evolve(): Promise<void> {
    await using destination = ends.openDestination();
    const { table: wanted } = ends.plan(table);
    const steps = [
      { kind: 'create_schema' } as const,
      { kind: 'create_table', table: wanted } as const,
    ];
    await destination.apply({ modelId: table.modelName, table: wanted, steps });
  }

  describe.each(['merge', 'replace'] as const)('%s', (mode) => {
    test('killed after any number of batches, the next attempt goes on and the copy is equal', async () => {
      if (mode === 'merge') await evolve();
      const all = await read();
      let attempt = 0;
      let done = 0;
      for (const batches of [1, 0, 3, 2]) {
        attempt += 1;
        const destination = ends.openDestination();
        const load = await destination.open(
          ends.plan(table, { mode, epoch: epochOf(1, attempt) }),
          going,
        );
        expect(load.progress.resumeAfter).toEqual(done === 0 ? undefined : all[done - 1]?.cursor);
        for (const batch of (await read(load.progress.resumeAfter)).slice(0, batches)) {
          await load.write(batch, going);
        }
        done += batches;
        await destination[Symbol.asyncDispose]();
      }
      await using destination = ends.openDestination();
      const load = await destination.open(ends.plan(table, { mode, epoch: epochOf(1, 9) }), going);
      expect(load.progress).toMatchObject({ attempts: 5, rows: 300 });
      for (const batch of await read(load.progress.resumeAfter)) await load.write(batch, going);
      await load.finish(ends.close(), going);
      await expectEqual();
      expect(await leftovers()).toEqual([]);
    });

    test('a writer that froze in the middle of a batch blocks nobody and lands nothing', async () => {
      if (mode === 'merge') await evolve();
      const [first, second] = await read(undefined, 200);
      const frozen = ends.openDestination();
      const stale = await frozen.open(ends.plan(table, { mode }), going);
      await stale.write(must(first, 'batch'), going);
      // Its COPY gets all of the batch but the end, and waits for that for ever.
      const batch = must(second, 'batch');
      const openMessage = Buffer.from([0x64, 0, 0, 255, 0]);
      const writing = stale.write({ ...batch, chunks: [...batch.chunks, openMessage] }, going);
      const frozenEnd = writing.catch((error: unknown) => error);
      await expect.poll(copying).toBe(1);

      await using destination = ends.openDestination();
      const load = await destination.open(ends.plan(table, { mode, epoch: epochOf(1, 2) }), going);
      for (const batch of await read(load.progress.resumeAfter)) await load.write(batch, going);
      await load.finish(ends.close(), going);
      await expectEqual();
      await frozen[Symbol.asyncDispose]();
      expect(await frozenEnd).toMatchObject({ name: 'Failure' });
      await expectEqual();
    });

    test('two rows of one key in one batch are refused, with no value in the sentence', async () => {
      await ends.source.query(`alter table things drop constraint things_pkey`);
      await ends.source.query(
        `insert into things values ('acme', '2026-02-01', 7, 'canary'), ('acme', '2026-02-01', 7, 'canary')`,
      );
      if (mode === 'merge') await evolve();
      const landing = ends.land(table, { mode });
      await expect(landing).rejects.toMatchObject({ kind: 'source_mismatch', code: 'KEYS' });
      const error: unknown = await landing.catch((caught: unknown) => caught);
      expect(JSON.stringify([String(error), error])).not.toContain('canary');
      await ends.source.query('delete from things where id = 7');
      await ends.source.query('alter table things add primary key (id)');
    });
  });

  describe('a hidden table that somebody else', () => {
    async function half(): Promise<void> {
      await using destination = ends.openDestination();
      const load = await destination.open(ends.plan(table), going);
      for (const batch of (await read()).slice(0, 3)) await load.write(batch, going);
    }

    const openAgain = async (
      plan: Partial<LoadPlan>,
    ): Promise<{ load: Load } & AsyncDisposable> => {
      const destination = ends.openDestination();
      const load = await destination.open(ends.plan(table, plan), going);
      return { load, [Symbol.asyncDispose]: () => destination[Symbol.asyncDispose]() };
    };

    test.each(['truncate table', 'drop table'])('hit with "%s" is begun anew', async (command) => {
      await half();
      await ends.destination.query(`${command} ${await hidden()}`);
      await using again = await openAgain({ epoch: epochOf(1, 2) });
      expect(again.load.progress).toMatchObject({ attempts: 1, rows: 0, resumeAfter: undefined });
      for (const batch of await read()) await again.load.write(batch, going);
      await again.load.finish(ends.close(), going);
      await expectEqual();
    });

    test('emptied before the end is not published as an empty table', async () => {
      await ends.land(table);
      const later = { transferId: 'later', epoch: epochOf(2) };
      await using first = await openAgain(later);
      for (const batch of await read()) await first.load.write(batch, going);
      await ends.destination.query(`truncate table ${await hidden()}`);
      for (const attempt of [1, 2]) {
        await using last = await openAgain({ ...later, epoch: epochOf(2, attempt, 5) });
        await expect(last.load.finish(ends.close(), going)).rejects.toMatchObject({
          kind: 'schema_conflict',
        });
      }
      await expectEqual();
      await using anew = await openAgain({ ...later, epoch: epochOf(2, 1, 6) });
      for (const batch of await read()) await anew.load.write(batch, going);
      await anew.load.finish(ends.close(), going);
      await expectEqual();
    });

    test('took a row out of is loaded anew', async () => {
      await half();
      await ends.destination.query(`delete from ${await hidden()} where id = 3`);
      await using again = await openAgain({ epoch: epochOf(1, 2) });
      for (const batch of await read(again.load.progress.resumeAfter))
        await again.load.write(batch, going);
      await expect(again.load.finish(ends.close(), going)).rejects.toMatchObject({
        kind: 'schema_conflict',
      });
      await ends.land(table, { transferId: 'next', epoch: epochOf(2) });
      await expectEqual();
      expect(await leftovers()).toEqual([]);
    });
  });

  describe('a full refresh over a live table', () => {
    test('keeps its view and its grants, and no reader ever finds it empty or doubled', async () => {
      await ends.land(table);
      const role = `reader_${major}_${model}`;
      await ends.destination.query(`create role ${role}; grant select on ${live()} to ${role}`);
      await ends.destination.query(
        `create view landed.view_${model} as select id, note from ${live()}`,
      );
      await ends.destination.query(`alter table ${live()} add column theirs text default 'kept'`);
      await ends.source.query(
        `delete from things where id % 10 = 0; update things set note = 'new' where id % 7 = 0`,
      );

      const reader = await connectAs(ends.to);
      const counts: number[] = [];
      let isOver = false;
      const polling = (async () => {
        while (!isOver) {
          const { rows: found } = await reader.query<{ count: number }>(
            `select count(*)::int as count from ${live()}`,
          );
          counts.push(must(found[0], 'a row').count);
        }
      })();
      await ends.land(table, { transferId: 'refresh', epoch: epochOf(2) });
      isOver = true;
      await polling;
      await reader.end();

      await expectEqual();
      expect(new Set(counts)).toEqual(new Set([rows, rows * 0.9]));
      const viewed = await ends.destination.query(
        `select count(*)::int as count from landed.view_${model}`,
      );
      expect(viewed.rows).toEqual([{ count: rows * 0.9 }]);
      const granted = await ends.destination.query(
        `select has_table_privilege('${role}', '${live()}', 'select') as may`,
      );
      expect(granted.rows).toEqual([{ may: true }]);
      const theirs = await ends.destination.query(`select distinct theirs from ${live()}`);
      expect(theirs.rows).toEqual([{ theirs: 'kept' }]);
      await ends.destination.query(
        `drop view landed.view_${model}; revoke all on ${live()} from ${role}; drop role ${role}`,
      );
    });

    test('brings new columns to the live table when it is published', async () => {
      await ends.land(table);
      const wider = modelOf(
        [
          ['at', 'timestamp', 'last_modified'],
          ['id', 'integer', 'key'],
          ['note', 'string'],
          ['tenant', 'string'],
        ],
        { model_name: table.modelName },
      );
      await ends.land(wider, { transferId: 'wider', revisionId: 'two', epoch: epochOf(2) });
      const { rows: found } = await ends.destination.query(`select distinct tenant from ${live()}`);
      expect(found).toEqual([{ tenant: 'acme' }]);
    });

    test('never writes into a table that came from elsewhere meanwhile', async () => {
      await using destination = ends.openDestination();
      const load = await destination.open(ends.plan(table), going);
      for (const batch of await read()) await load.write(batch, going);
      await ends.destination.query(
        `create table ${live()} (id int primary key, at timestamptz, note text)`,
      );
      await ends.destination.query(`insert into ${live()} values (-1, now(), 'theirs')`);
      await expect(load.finish(ends.close(), going)).rejects.toMatchObject({
        kind: 'schema_conflict',
      });
      const { rows: found } = await ends.destination.query(`select note from ${live()}`);
      expect(found).toEqual([{ note: 'theirs' }]);
    });
  });

  test('a first load leaves a table like one made by hand: key, comments, no trace', async () => {
    await using destination = ends.openDestination();
    for (const attempt of [1, 2]) {
      const load = await destination.open(ends.plan(table, { epoch: epochOf(1, attempt) }), going);
      const batches = await read(load.progress.resumeAfter);
      for (const batch of batches.slice(0, attempt * 4)) await load.write(batch, going);
      if (attempt === 2) await load.finish(ends.close(), going);
    }
    await expectEqual();
    const described = must(await destination.describe(table.destinationTable), 'a table');
    expect(described).toMatchObject({ comment: 'All things', key: ['id'] });
    expect(described.columns.map(({ name }) => name)).toEqual(['id', 'at', 'note']);
    const keys = await ends.destination.query(
      `select conname from pg_constraint where conrelid = '${live()}'::regclass and contype = 'p'`,
    );
    expect(keys.rows).toEqual([{ conname: `things_${model}_pkey` }]);
  });
});
