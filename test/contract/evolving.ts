import { describe, expect, test } from 'vitest';
import { logicalTypes } from '../../domain/data-type.ts';
import { planEvolution } from '../../domain/evolution.ts';
import type { LandedColumn, LandedTable } from '../../domain/load.ts';
import { laterTransfer, Rig, row, type ConnectorUnderTest } from './rig.ts';

export function describeEvolving(system: () => ConnectorUnderTest): void {
  /** Brings the live table to the wanted one and plans again: nothing may be left to do. */
  async function check(rig: Rig, wanted: LandedTable): Promise<void> {
    await using destination = await rig.openDestination();
    const steps = planEvolution(wanted, await destination.describe(wanted.name));
    const change = { modelId: rig.modelId, table: wanted, steps };
    await destination.apply(change);
    await destination.apply(change);
    expect(planEvolution(wanted, await destination.describe(wanted.name))).toEqual([]);
  }

  const withColumn = (table: LandedTable, column: LandedColumn): LandedTable => ({
    ...table,
    columns: [...table.columns, column],
  });

  describe('the landed table', () => {
    test('is described as undefined while it is not there', async () => {
      const rig = await Rig.create(system());
      await using destination = await rig.openDestination();
      expect(await destination.describe(rig.landed.name)).toBeUndefined();
    });

    test('is made with every logical type, its key and its comments', async () => {
      const columns = logicalTypes.map((type) => ({ name: `a_${type}`, type }));
      const rig = await Rig.create(system(), [
        { name: 'id', type: 'bigint', isKey: true },
        ...columns,
      ]);
      const commented = rig.landed.columns.map((column) => ({
        ...column,
        description: `It's ${column.name}`,
      }));
      await check(rig, { ...rig.landed, description: 'A "table"', columns: commented });
    });

    test('takes a key of several columns', async () => {
      const rig = await Rig.create(system(), [
        { name: 'part', type: 'string', isKey: true },
        { name: 'number', type: 'integer', isKey: true },
      ]);
      await check(rig, rig.landed);
    });

    test('gets new columns at its end, null in the rows that are there', async () => {
      const rig = await Rig.create(system());
      await rig.seed([row(1, 1, 'a')]);
      await rig.land();
      const column: LandedColumn = { name: 'extra', type: 'json', description: 'Added later' };
      await check(rig, withColumn(rig.landed, column));
      expect((await rig.live())?.map((landed) => landed['extra'])).toEqual([null]);
      await rig.land(laterTransfer());
      expect(await rig.notes()).toEqual(['1 a']);
    });

    test('gets a wider column where that is allowed, and takes the older revision all the same', async () => {
      const rig = await Rig.create(system(), [
        { name: 'id', type: 'integer', isKey: true },
        { name: 'note', type: 'string' },
      ]);
      await rig.seed([row(1, 1, 'a')]);
      await rig.land();
      const columns = rig.landed.columns.map((column) =>
        column.name === 'id' ? { ...column, type: 'bigint' as const } : column,
      );
      await check(rig, { ...rig.landed, columns, allowWidening: true });
      await rig.seed([row(1, 2, 'b'), row(2, 3, 'c')]);
      await rig.land(laterTransfer());
      expect(await rig.notes()).toEqual(['1 b', '2 c']);
    });

    test('gets changed comments', async () => {
      const rig = await Rig.create(system());
      await check(rig, { ...rig.landed, description: 'Before' });
      const columns = rig.landed.columns.map((column) => ({ ...column, description: 'After' }));
      await check(rig, { ...rig.landed, description: 'After', columns });
    });

    test('is refused where a column has another type or the key is another', async () => {
      const rig = await Rig.create(system());
      await check(rig, rig.landed);
      await using destination = await rig.openDestination();
      const live = await destination.describe(rig.landed.name);
      const conflict = expect.objectContaining({ kind: 'schema_conflict' });
      const columns = rig.landed.columns.map((column) =>
        column.name === 'note' ? { ...column, type: 'bigint' as const } : column,
      );
      expect(() => planEvolution({ ...rig.landed, columns }, live)).toThrow(conflict);
      expect(() => planEvolution({ ...rig.landed, key: ['id', 'note'] }, live)).toThrow(conflict);
    });

    test('is remembered as it was last applied', async () => {
      const rig = await Rig.create(system());
      await rig.seed([row(1, 1)]);
      await rig.land();
      const wider = withColumn(rig.landed, {
        name: 'extra',
        type: 'string',
        description: undefined,
      });
      await check(rig, wider);
      await using destination = await rig.openDestination();
      expect(await destination.recall(rig.modelId)).toMatchObject({ appliedTable: wider });
    });
  });
}
