// Promise 1: nothing is lost. Every row that was committed when a transfer began to read is at the
// destination when it succeeds, and what commits later arrives with a later transfer, however old its stamp
// is by then.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSystem, type System } from '../harness/system.ts';
import { submit, transfer, waitForEnd } from '../harness/transfers.ts';
import { connect, fill, type Vendor } from '../harness/vendor.ts';
import {
  beginLate,
  createPair,
  expectEqual,
  heldAt,
  holdReaders,
  insert,
  passMargin,
  releaseReaders,
  waitForLock,
} from './late-commits.ts';

/** They wait side by side, on a machine that may be busy. */
const sideBySide = { timeout: 180_000 };

let system: System;

beforeAll(async () => {
  // No lookback: the fence and the watermark alone must find what comes late. And slices of one batch each.
  system = await createSystem({ lookbackSeconds: 0, limits: { batchRowsMax: 100, sliceMs: 1 } });
});

afterAll(() => system[Symbol.asyncDispose]());

interface LateWrite {
  /** What the transaction does before the transfer that misses it, and after. */
  readonly before: string;
  readonly after: string;
}

const lateWrites: Record<string, LateWrite> = {
  'has written and sits idle': { before: insert(1000), after: '' },
  'has only read, and writes afterwards under its old now()': { before: '', after: insert(1000) },
  'has changed a row that landed long ago': {
    before: `update orders set note = 'late', changed_at = now() where id = 7`,
    after: '',
  },
  'has written within a savepoint': {
    before: `savepoint a; ${insert(1000)}; release a`,
    after: insert(1001),
  },
};

describe.concurrent('a transaction that is open while a transfer runs', sideBySide, () => {
  test.each(Object.entries(lateWrites))('and %s, arrives later', async (_, { before, after }) => {
    await using pair = await createPair(system);
    const { vendor, customer } = pair;
    await fill(vendor.sql, customer.tenant, { rows: 30 });
    await transfer(system, customer.destinationId);
    const late = await beginLate(vendor);
    await late.sql.query(before);
    await passMargin(vendor);
    await vendor.sql.query(insert(2000));
    const { log } = await transfer(system, customer.destinationId);
    expect(log).not.toContain('within the lookback only');
    await late.sql.query(after);
    await late.commit();
    await transfer(system, customer.destinationId);
    await expectEqual(pair);
  });

  test('and is prepared in two phases, arrives later; the log says that none can be sure', async () => {
    await using pair = await createPair(system);
    const { vendor, customer } = pair;
    await fill(vendor.sql, customer.tenant, { rows: 30 });
    await transfer(system, customer.destinationId);
    const name = `late ${vendor.modelName}`;
    const late = await connect(vendor.database);
    await late.query(`begin; ${insert(1000)}; prepare transaction '${name}'`);
    await passMargin(vendor);
    await vendor.sql.query(insert(2000));
    // Twice: the fence that it holds must not move with the one before it.
    for (const _ of [1, 2]) {
      const { log } = await transfer(system, customer.destinationId);
      expect(log).toContain('within the lookback only: A prepared transaction is open');
    }
    await late.query(`commit prepared '${name}'`);
    await late.end();
    await transfer(system, customer.destinationId);
    await expectEqual(pair);
  });

  test('and is prepared before the first load, arrives later all the same', async () => {
    await using pair = await createPair(system);
    const { vendor, customer } = pair;
    await fill(vendor.sql, customer.tenant, { rows: 30 });
    const name = `early ${vendor.modelName}`;
    const late = await connect(vendor.database);
    await late.query(`begin; ${insert(1000)}; prepare transaction '${name}'`);
    await passMargin(vendor);
    await vendor.sql.query(insert(2000));
    await transfer(system, customer.destinationId);
    await late.query(`commit prepared '${name}'`);
    await late.end();
    await transfer(system, customer.destinationId);
    await expectEqual(pair);
  });

  test('and takes a row back to an older stamp, is the one that counts', async () => {
    await using pair = await createPair(system);
    const { vendor, customer } = pair;
    await fill(vendor.sql, customer.tenant, { rows: 30 });
    await transfer(system, customer.destinationId);
    const update = (note: string) =>
      `update orders set note = '${note}', changed_at = now() where id = 7`;
    const second = await beginLate(vendor);
    await passMargin(vendor);
    await vendor.sql.query(update('first to commit, with the later stamp'));
    await transfer(system, customer.destinationId);
    await second.sql.query(update('second to commit, with the older stamp'));
    await second.commit();
    await transfer(system, customer.destinationId);
    await expectEqual(pair);
  });

  test('and stamps to the half second, arrives later or is not called sure', async () => {
    await using pair = await createPair(system, {
      prepare: `alter table orders alter changed_at type timestamptz(0)`,
    });
    const { vendor, customer } = pair;
    await fill(vendor.sql, customer.tenant, { rows: 30 });
    await transfer(system, customer.destinationId);
    const late = await beginRoundedDown(vendor);
    await late.sql.query(insert(1000));
    await passMargin(vendor);
    await vendor.sql.query(insert(2000));
    const { log } = await transfer(system, customer.destinationId);
    expect(log).toContain(
      'within the lookback only: The last-modified column is timestamp(0) with',
    );
    await late.commit();
  });
});

/** Begun in the first half of a second: rounded to whole ones its stamp is older than itself. */
async function beginRoundedDown(vendor: Vendor) {
  await vendor.sql.query(/*sql*/ `select pg_sleep(
      1.1 - extract(microseconds from clock_timestamp())::numeric % 1000000 / 1000000)`);
  return beginLate(vendor);
}

test('rows that come, move or go between two slices of a first load are as they ought to be', async () => {
  await using pair = await createPair(system, { view: heldAt(1250) });
  const { vendor, customer } = pair;
  await fill(vendor.sql, customer.tenant, { rows: 500, from: 1001 });
  const late = await beginLate(vendor);
  // Stamped after that transaction began, so that its stamp is older than every one of them.
  await vendor.sql.query(
    /*sql*/ `update orders set changed_at = clock_timestamp() + make_interval(secs => id / 1e6)`,
  );
  await vendor.sql.query(holdReaders);
  const id = await submit(system, customer.destinationId);
  await waitForLock(vendor.database);
  await vendor.sql.query(`${insert(1)}; ${insert(9999)}`);
  await vendor.sql.query(
    /*sql*/ `update orders set note = 'moved on', changed_at = now() where id in (1001, 1300)`,
  );
  await vendor.sql.query(/*sql*/ `delete from orders where id = 1490`);
  await late.sql.query(
    /*sql*/ `update orders set note = 'moved back', changed_at = now() where id in (1002, 1480)`,
  );
  await late.sql.query(insert(1600));
  await late.commit();
  await vendor.sql.query(releaseReaders);
  expect((await waitForEnd(system, id)).status).toBe('SUCCESS');
  await expectEqual(pair);
});

test('a row that goes back and forth between the slices of an increment is there in the end', async () => {
  await using pair = await createPair(system, { view: heldAt(1250) });
  const { vendor, customer } = pair;
  await fill(vendor.sql, customer.tenant, { rows: 500, from: 1001 });
  await transfer(system, customer.destinationId);
  const late = await beginLate(vendor);
  await vendor.sql.query(/*sql*/ `update orders
      set note = 'new', changed_at = clock_timestamp() + make_interval(secs => id / 1e6)`);
  await vendor.sql.query(holdReaders);
  const id = await submit(system, customer.destinationId);
  await waitForLock(vendor.database);
  await late.sql.query(
    /*sql*/ `update orders set note = 'back', changed_at = now() where id > 1470`,
  );
  await late.commit();
  await vendor.sql.query(
    /*sql*/ `update orders set note = 'forth', changed_at = now() where id > 1490`,
  );
  await vendor.sql.query(releaseReaders);
  expect((await waitForEnd(system, id)).status).toBe('SUCCESS');
  await expectEqual(pair);
});
