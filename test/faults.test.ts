import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import { driveTransfer, type Transfer } from './drive-transfer.ts';
import { createMemoryWorld, sourceTable, type MemoryWorld } from './memory-route.ts';

function fill(): MemoryWorld {
  const world = createMemoryWorld();
  for (const id of [1, 2, 3, 4, 5, 6, 7]) {
    world.vendor.advance(id % 2);
    world.write(id, 'first');
  }
  const others = world.vendor.begin();
  others.insert(sourceTable, {
    tenant: 'globex',
    id: '1',
    changed: world.vendor.now,
    note: 'not ours',
  });
  others.commit();
  return world;
}

function change(world: MemoryWorld): void {
  world.vendor.advance(60);
  world.write(2, 'second');
  world.write(8, 'new');
  world.vendor.advance(1);
  for (const id of [4, 5, 6]) world.write(id, 'second');
}

/** Runs a transfer with each of its calls failing once, and compares source and destination each time. */
async function checkEveryCall(
  prepare: () => Promise<MemoryWorld>,
  transfer: Transfer,
): Promise<void> {
  const calls = await countCalls(await prepare(), transfer);
  expect(calls.length).toBeGreaterThan(10);
  const wrong: string[] = [];
  for (const when of ['before', 'after'] as const) {
    for (const [index, verb] of calls.entries()) {
      const world = await prepare();
      const { route, faults } = world.route([{ call: index + 1, when }]);
      await driveTransfer(route, transfer);
      const isEqual = isDeepStrictEqual(world.landedRows(), world.sourceRows());
      // Only the table itself and the status table are left.
      const isClean = world.customer.snapshot().tables.size === 2;
      const hasFailed = faults.calls.length > index + 1;
      if (!isEqual || !isClean || !hasFailed) wrong.push(`${when} call ${index + 1}, ${verb}`);
    }
  }
  expect(wrong).toEqual([]);
}

async function countCalls(world: MemoryWorld, transfer: Transfer): Promise<string[]> {
  const { route, faults } = world.route();
  await driveTransfer(route, transfer);
  expect(world.landedRows()).toEqual(world.sourceRows());
  return faults.calls;
}

async function landed(): Promise<MemoryWorld> {
  const world = fill();
  await driveTransfer(world.route().route, { startedAtMicros: 1 });
  return world;
}

test('a first load survives the failure of any of its calls', async () => {
  await checkEveryCall(async () => fill(), { startedAtMicros: 1 });
});

test('an incremental load survives the failure of any of its calls', async () => {
  const prepare = async () => {
    const world = await landed();
    change(world);
    return world;
  };
  await checkEveryCall(prepare, { startedAtMicros: 2 });
});

test('a full refresh survives the failure of any of its calls, and drops what is gone', async () => {
  const prepare = async () => {
    const world = await landed();
    change(world);
    world.remove(1);
    world.remove(7);
    return world;
  };
  await checkEveryCall(prepare, { startedAtMicros: 2, isFullRefresh: true });
});

test('a first load that fails for good is finished by the next transfer', async () => {
  const calls = await countCalls(fill(), { startedAtMicros: 1 });
  for (const call of calls.keys()) {
    const world = fill();
    const { route } = world.route([{ call: call + 1, when: 'after' }]);
    await expect(
      driveTransfer(route, { startedAtMicros: 1, attemptsMax: 1 }),
    ).rejects.toMatchObject({
      policy: { retry: 'soon' },
    });
    change(world);
    await driveTransfer(world.route().route, { startedAtMicros: 2 });
    expect(world.landedRows(), `after call ${call + 1}, ${calls[call]}`).toEqual(
      world.sourceRows(),
    );
  }
});

test('a row that a late commit moves back over the cursor is found', async () => {
  const world = fill();
  const late = world.vendor.begin();
  late.upsert(sourceTable, { tenant: 'acme', id: '7', changed: late.begunAt, note: 'late' });
  world.vendor.advance(60);
  world.write(7, 'soon');
  world.write(9, 'soon');
  let batches = 0;
  const onBatch = () => {
    batches += 1;
    if (batches === 4) late.commit();
  };
  await driveTransfer(world.route().route, { startedAtMicros: 1, onBatch });
  expect(world.landedRows()).toEqual(world.sourceRows());
});
