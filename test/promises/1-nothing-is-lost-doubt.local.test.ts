// Promise 1: nothing is lost, and where the source cannot be sure of that the transfer's log says so, names
// the grant that would change it, and what commits within the lookback is found.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSystem, type System } from '../harness/system.ts';
import { transfer } from '../harness/transfers.ts';
import { fill } from '../harness/vendor.ts';
import { createLogin, loginBlock, patchSource } from './6-logins.ts';
import {
  beginLate,
  createPair,
  expectEqual,
  insert,
  passMargin,
  type Pair,
} from './late-commits.ts';

/** They wait side by side, on a machine that may be busy. */
const sideBySide = { timeout: 180_000 };

let system: System;
/** Without a lookback: the fence and the watermark alone must find what comes late. */
let bare: System;

beforeAll(async () => {
  system = await createSystem();
  bare = await createSystem({ lookbackSeconds: 0 });
});

afterAll(async () => {
  await bare[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

const doubtful = 'within the lookback only';

/** @returns the log of the transfer that a transaction of the vendor's outlives */
async function commitLate(on: System, pair: Pair, settings = 'select'): Promise<string> {
  const { vendor, customer } = pair;
  await fill(vendor.sql, customer.tenant, { rows: 30 });
  await transfer(on, customer.destinationId);
  const late = await beginLate(vendor);
  await late.sql.query(settings);
  await late.sql.query(insert(1000));
  await passMargin(vendor);
  await vendor.sql.query(insert(2000));
  const { log } = await transfer(on, customer.destinationId);
  await late.commit();
  await transfer(on, customer.destinationId);
  await expectEqual(pair);
  return log;
}

describe.concurrent('a late commit', sideBySide, () => {
  test('of a session that the login may not see is found by the lookback, and the grant is named', async () => {
    await using pair = await createPair(system);
    await using login = await createLogin(pair.vendor);
    await pair.vendor.sql.query(/*sql*/ `grant select on orders to ${login.name}`);
    await patchSource(system, pair.vendor, loginBlock(login));
    const log = await commitLate(system, pair);
    expect(log).toContain(`${doubtful}: Not all sessions of the source can be seen by this login`);
    expect(log).toContain(`grant pg_read_all_stats to "${login.name}"`);
  });

  test('needs no lookback once the login has that grant', async () => {
    await using pair = await createPair(bare);
    await using login = await createLogin(pair.vendor);
    await pair.vendor.sql.query(
      /*sql*/ `grant select on orders to ${login.name}; grant pg_read_all_stats to ${login.name}`,
    );
    await patchSource(bare, pair.vendor, loginBlock(login));
    expect(await commitLate(bare, pair)).not.toContain(doubtful);
  });

  test('of a session that shows no activity is found by the lookback', async () => {
    await using pair = await createPair(system);
    const log = await commitLate(system, pair, /*sql*/ `set track_activities = off`);
    expect(log).toContain(`${doubtful}: Sessions of the source have track_activities switched off`);
  });

  test.each(['timestamp', 'timestamptz(0)', 'timestamp(0)', 'date'])(
    'is found by the lookback where the last-modified column is %s',
    async (type) => {
      const prepare = /*sql*/ `alter table orders alter changed_at type ${type}`;
      await using pair = await createPair(system, { prepare });
      expect(await commitLate(system, pair)).toContain(`${doubtful}: The last-modified column is`);
    },
  );
});

describe.concurrent('the watermark', sideBySide, () => {
  test.each([`now() + interval '10 years'`, `'infinity'`])(
    'is not pushed over a late commit by a row that is stamped %s',
    async (stamp) => {
      await using pair = await createPair(bare);
      await pair.vendor.sql.query(insert(500, stamp));
      expect(await commitLate(bare, pair)).not.toContain(doubtful);
      // The row itself stays in every window.
      await pair.vendor.sql.query(/*sql*/ `update orders set note = 'changed' where id = 500`);
      await transfer(bare, pair.customer.destinationId);
      await expectEqual(pair);
    },
  );

  test('stays at the start while no row has landed, so that old stamps that come later arrive', async () => {
    await using pair = await createPair(bare);
    await transfer(bare, pair.customer.destinationId);
    await transfer(bare, pair.customer.destinationId);
    await pair.vendor.sql.query(insert(1, `'2001-01-01'`));
    await transfer(bare, pair.customer.destinationId);
    await expectEqual(pair);
  });
});
