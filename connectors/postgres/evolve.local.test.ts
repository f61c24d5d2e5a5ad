import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { EvolutionStep } from '../../domain/evolution.ts';
import { landedTableOf } from '../../domain/landed-table.ts';
import type { LandedColumn, LandedTable } from '../../domain/load.ts';
import { connectAs, Ends, epochOf, modelOf } from '../../test/harness/postgres-ends.ts';

const columns = [
  ['at', 'timestamp', 'last_modified'],
  ['id', 'bigint', 'key'],
  ['note', 'string'],
] as const;
const models = ['things', 'others', 'thirds'].map((name) => modelOf(columns, { model_name: name }));
const [things] = models.map(landedTableOf) as [LandedTable];

const text = (name: string): LandedColumn => ({ name, type: 'string', description: undefined });
const adding = (name: string): EvolutionStep => ({
  ...{ kind: 'add_column', table: 'things' },
  column: text(name),
});

describe.each([[12], [18]] as const)('changing a table on Postgres %s', (major) => {
  let ends: Ends;

  beforeAll(async () => {
    ends = await Ends.create({ major });
    await ends.source
      .query(`create table things (tenant text, at timestamptz, id bigint primary key, note text);
      insert into things select 'acme', now(), n, 'note' from generate_series(1, 50) n`);
  });
  afterAll(() => ends[Symbol.asyncDispose]());
  beforeEach(() => ends.destination.query('drop schema if exists landed cascade'));

  async function apply(steps: readonly EvolutionStep[], more: readonly string[]): Promise<void> {
    await using destination = ends.openDestination();
    const table = { ...things, columns: [...things.columns, ...more.map(text)] };
    await destination.apply({ modelId: 'things', table, steps });
  }

  async function columnsOf(): Promise<string[]> {
    await using destination = ends.openDestination();
    return (await destination.describe('things'))?.columns.map(({ name }) => name) ?? [];
  }

  async function applied(): Promise<string[]> {
    await using destination = ends.openDestination();
    return (
      (await destination.recall('things'))?.appliedTable?.columns.map(({ name }) => name) ?? []
    );
  }

  test('models of one destination make its schema and their tables at the same moment, each twice', async () => {
    const loads = models.map((model, index) =>
      ends.land(model, { transferId: model.modelName, epoch: epochOf(index + 1) }),
    );
    const changes = [...models, ...models].map(async (model) => {
      const table = landedTableOf(model);
      await using destination = ends.openDestination();
      const steps: EvolutionStep[] = [{ kind: 'create_schema' }];
      await destination.apply({ modelId: model.modelName, table, steps });
    });
    await Promise.all([...loads, ...changes]);
    for (const { modelName } of models) {
      const { rows } = await ends.destination.query(
        `select count(*)::int as count from landed.${modelName}`,
      );
      expect(rows).toEqual([{ count: 50 }]);
    }
  });

  test('several attempts add the same columns at once: each stands there once', async () => {
    await ends.land(models[0]!);
    const steps = [adding('a'), adding('b'), adding('c')];
    await Promise.all([1, 2, 3, 4].map(() => apply(steps, ['a', 'b', 'c'])));
    expect(await columnsOf()).toEqual(['id', 'at', 'note', 'a', 'b', 'c']);
    expect(await applied()).toEqual(['id', 'at', 'note', 'a', 'b', 'c']);
  });

  test('an attempt that fails at a later step leaves the recorded schema, and the next goes on', async () => {
    await ends.land(models[0]!);
    const failing: EvolutionStep = {
      ...{ kind: 'comment_column', table: 'things', column: 'nowhere', comment: 'none' },
    };
    await expect(apply([adding('a'), failing, adding('b')], ['a', 'b'])).rejects.toMatchObject({
      kind: 'schema_conflict',
    });
    expect(await columnsOf()).toEqual(['id', 'at', 'note', 'a']);
    expect(await applied()).toEqual(['id', 'at', 'note']);
    await apply([adding('a'), adding('b')], ['a', 'b']);
    expect(await columnsOf()).toEqual(['id', 'at', 'note', 'a', 'b']);
    expect(await applied()).toEqual(['id', 'at', 'note', 'a', 'b']);
  });

  test('an attempt whose connection is cut while it waits has changed nothing', async () => {
    await ends.land(models[0]!);
    const reader = await connectAs(ends.to);
    await reader.query('begin; select from landed.things');
    const cut = apply([adding('a')], ['a']).catch((error: unknown) => error);
    const end = async () => {
      const { rows } = await ends.destination.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and query like 'alter table %' and wait_event_type = 'Lock'`,
      );
      return rows.length;
    };
    await expect.poll(end, { interval: 20 }).toBe(1);
    expect(await cut).toMatchObject({ kind: 'destination_unreachable' });
    await reader.query('commit');
    await reader.end();
    expect(await columnsOf()).toEqual(['id', 'at', 'note']);
    await apply([adding('a')], ['a']);
    expect(await applied()).toEqual(['id', 'at', 'note', 'a']);
  });
});
