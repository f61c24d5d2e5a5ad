import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { driveTransfer } from '../test/drive-transfer.ts';
import {
  createMemoryWorld,
  sourceRow,
  sourceTable,
  type MemoryWorld,
} from '../test/memory-route.ts';
import { createMemoryStore, memoryColumn } from './memory/store.ts';

const columns = [memoryColumn('id', 'bigint'), memoryColumn('note', 'string')];

describe('a store', () => {
  function createStore() {
    const store = createMemoryStore(randomUUID());
    store.createTable('t', { columns, key: ['id'] });
    return store;
  }

  test('keeps all of a transaction or nothing of it', () => {
    const store = createStore();
    const failing = () =>
      store.transact((draft) => {
        draft.tables.delete('t');
        throw new Error('half way');
      });
    expect(failing).toThrow('half way');
    expect(store.rows('t')).toEqual([]);
  });

  test('shows the changes of an open transaction when it commits, and not before', () => {
    const store = createStore();
    const transaction = store.begin();
    const before = store.snapshot();
    transaction.insert('t', { id: '1', note: 'a' });
    expect(store.rows('t')).toEqual([]);
    transaction.commit();
    expect(store.rows('t')).toHaveLength(1);
    expect(before.tables.get('t')?.rows).toEqual([]);
  });

  test('forgets what is rolled back, and knows the oldest transaction that is open', () => {
    const store = createStore();
    const [first, second] = [store.begin(), (store.advance(5), store.begin())];
    first.delete('t', { id: '1' });
    expect(store.oldestOpenAt()).toBe(first.begunAt);
    first.rollback();
    expect(store.oldestOpenAt()).toBe(second.begunAt);
    second.upsert('t', { id: '1', note: 'a' });
    second.upsert('t', { id: '1', note: 'b' });
    second.commit();
    expect(store.oldestOpenAt()).toBeUndefined();
    expect(store.rows('t')).toEqual([{ id: '1', note: 'b' }]);
  });
});

describe('a transfer', () => {
  function fill(ids: readonly number[]): MemoryWorld {
    const world = createMemoryWorld();
    for (const id of ids) {
      world.vendor.advance(1);
      world.write(id, 'first');
    }
    return world;
  }

  test('does not see what is committed while it reads, and takes it next time', async () => {
    const world = fill([1, 2, 3]);
    const onBatch = () => world.write(9, 'meanwhile');
    const route = { ...world.route().route, batchesPerSlice: 100 };
    await driveTransfer(route, { startedAtMicros: 1, onBatch });
    expect(world.landedRows()).toHaveLength(3);
    await driveTransfer(world.route().route, { startedAtMicros: 2 });
    expect(world.landedRows()).toEqual(world.sourceRows());
  });

  test('takes a row that commits long after others with later stamps', async () => {
    const world = fill([1, 2]);
    const late = world.vendor.begin();
    late.insert(sourceTable, sourceRow(7, late.begunAt, 'late'));
    world.vendor.advance(3600);
    world.write(3, 'soon');
    for (const startedAtMicros of [1, 2])
      await driveTransfer(world.route().route, { startedAtMicros });
    expect(world.landedRows()).toHaveLength(3);
    late.commit();
    await driveTransfer(world.route().route, { startedAtMicros: 3 });
    expect(world.landedRows()).toEqual(world.sourceRows());
  });

  const refresh = { startedAtMicros: 2, isFullRefresh: true };
  const many = Array.from({ length: 12 }, (_, index) => index + 1);

  /** Runs a refresh up to its last call, where somebody acts before the copy is published. */
  async function beforePublish(world: MemoryWorld, act: () => void): Promise<void> {
    const { route } = world.route();
    const { load: loadRoles } = route.destination;
    const destination = {
      ...route.destination,
      load: async () => {
        const isCopied = [...world.customer.snapshot().loads.values()].some(
          ({ unfinished }) => unfinished?.rows === many.length,
        );
        if (isCopied) act();
        return loadRoles();
      },
    };
    await driveTransfer({ ...route, batchesPerSlice: 100, destination }, refresh);
  }

  test('never empties a table because its unfinished copy was taken away', async () => {
    const world = fill(many);
    await driveTransfer(world.route().route, { startedAtMicros: 1 });
    const takeAway = () => {
      world.customer.transact((draft) => draft.tables.delete('_waybill_new_orders'));
    };
    await expect(beforePublish(world, takeAway)).rejects.toMatchObject({ kind: 'schema_conflict' });
    expect(world.landedRows()).toEqual(world.sourceRows());
    await driveTransfer(world.route().route, { startedAtMicros: 3 });
    expect(world.landedRows()).toEqual(world.sourceRows());
  });

  test('publishes a refresh in steps, and no reader ever misses a row that stays', async () => {
    const world = fill(many);
    await driveTransfer(world.route().route, { startedAtMicros: 1 });
    world.vendor.advance(1);
    for (const id of [2, 5, 11]) world.write(id, 'second');
    for (const id of [1, 12]) world.remove(id);
    const seen = new Set<string>();
    const reader = poll(() => seen.add(JSON.stringify(world.landedRows())));
    await driveTransfer(world.route().route, refresh);
    reader.stop();
    expect(world.landedRows()).toEqual(world.sourceRows());
    expect(seen.size).toBeGreaterThan(2);
    for (const rows of seen) {
      const ids = (JSON.parse(rows) as string[]).map((row) => row.split(' ')[0]);
      for (const id of many.slice(1, 11)) expect(ids).toContain(String(id));
    }
  });
});

/** Looks between any two turns of the event loop. */
function poll(look: () => void) {
  let isOn = true;
  const turn = () => {
    look();
    if (isOn) setImmediate(turn);
  };
  setImmediate(turn);
  return { stop: () => (isOn = false) };
}
