import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';
import type { MemoryTransaction } from '../connectors/memory/store.ts';
import { Failure } from '../domain/failure.ts';
import { driveTransfer, type Transfer } from './drive-transfer.ts';
import type { Fault } from './faulty.ts';
import {
  createMemoryWorld,
  sourceRow,
  sourceTable,
  tenant,
  type MemoryWorld,
} from './memory-route.ts';

/** What the vendor's applications do, in whatever order. */
type Act =
  | { readonly kind: 'write' | 'remove'; readonly id: number }
  /** A transaction that has written and does not commit yet. */
  | { readonly kind: 'begin'; readonly id: number }
  | { readonly kind: 'commit'; readonly which: number }
  | { readonly kind: 'advance'; readonly seconds: number };

interface TransferAct {
  readonly kind: 'transfer';
  readonly isFullRefresh: boolean;
  readonly faults: readonly Fault[];
  readonly attemptsMax: number;
  /** What happens at the source while it runs: the first after the first batch, and so on. */
  readonly meanwhile: readonly Act[];
}

const id = fc.integer({ min: 1, max: 9 });
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('write' as const), id }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), id }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('begin' as const), id }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('commit' as const), which: fc.nat(3) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      seconds: fc.integer({ min: 1, max: 3 }),
    }),
  },
);
const fault: fc.Arbitrary<Fault> = fc.record({
  call: fc.integer({ min: 1, max: 60 }),
  when: fc.constantFrom('before', 'after'),
});
const transfer: fc.Arbitrary<TransferAct> = fc.record({
  kind: fc.constant('transfer'),
  isFullRefresh: fc.oneof(
    { weight: 4, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
  faults: fc.array(fault, { maxLength: 6 }),
  attemptsMax: fc.integer({ min: 1, max: 4 }),
  meanwhile: fc.array(act, { maxLength: 8 }),
});
const history = fc.array(
  fc.oneof({ weight: 4, arbitrary: act }, { weight: 1, arbitrary: transfer }),
  {
    minLength: 5,
    maxLength: 40,
  },
);

/** A vendor, a customer, and all that has happened between them. */
class Play {
  readonly world: MemoryWorld = createMemoryWorld();
  private readonly open: MemoryTransaction[] = [];
  private writes = 0;
  private transfers = 0;

  act(next: Act): void {
    const { vendor } = this.world;
    this.writes += 1;
    switch (next.kind) {
      case 'write':
        return this.world.write(next.id, `write ${this.writes}`);
      case 'remove':
        return this.world.remove(next.id);
      case 'begin': {
        const transaction = vendor.begin();
        transaction.upsert(
          sourceTable,
          sourceRow(next.id, transaction.begunAt, `late ${this.writes}`),
        );
        this.open.push(transaction);
        return;
      }
      case 'commit': {
        const [transaction] = this.open.splice(next.which, 1);
        return transaction?.commit();
      }
      case 'advance':
        return vendor.advance(next.seconds);
    }
  }

  /** Every row that stayed as it was throughout a transfer that succeeded is at the destination as it is. */
  async transfer({
    faults,
    isFullRefresh,
    attemptsMax,
    meanwhile,
  }: Omit<TransferAct, 'kind'>): Promise<void> {
    const before = new Set(this.world.sourceRows());
    const acts = meanwhile.values();
    const onBatch = () => {
      const { value } = acts.next();
      if (value !== undefined) this.act(value);
    };
    const isDone = await this.drive({ faults, isFullRefresh, attemptsMax, onBatch });
    if (!isDone) return;
    const unmoved = this.world.sourceRows().filter((row) => before.has(row));
    const landed = new Set(this.world.landedRows());
    assert.deepEqual(
      unmoved.filter((row) => !landed.has(row)),
      [],
    );
  }

  /** @returns whether the transfer succeeded; where it failed, only because of its faults. */
  private async drive({
    faults,
    ...options
  }: Omit<Transfer, 'startedAtMicros'> & { faults: readonly Fault[] }) {
    this.transfers += 1;
    const { route } = this.world.route(faults);
    try {
      await driveTransfer(route, { ...options, startedAtMicros: this.transfers });
      return true;
    } catch (error) {
      if (error instanceof Failure && error.policy.retry === 'soon') return false;
      throw error;
    }
  }

  /** Once the source is at rest, one more transfer brings all of it; a full refresh, exactly all of it. */
  async end(): Promise<void> {
    for (const transaction of this.open) transaction.commit();
    this.world.vendor.advance(1);
    const calm = { faults: [], attemptsMax: 1, meanwhile: [] };
    await this.transfer({ ...calm, isFullRefresh: false });
    await this.transfer({ ...calm, isFullRefresh: true });
    assert.deepEqual(this.world.landedRows(), this.world.sourceRows());
  }

  checkTables(): void {
    const { tables } = this.world.customer.snapshot();
    for (const [name, table] of tables) {
      if (name === '_transfer_status' || name.startsWith('_waybill_')) continue;
      assert.equal(new Set(table.rows.map((row) => row['id'])).size, table.rows.length);
      assert.deepEqual(
        table.rows.filter((row) => row['note'] === 'not ours'),
        [],
      );
    }
  }
}

test('whatever happens at both ends, nothing is lost, doubled or another tenant’s', async () => {
  const property = fc.asyncProperty(history, async (acts) => {
    const play = new Play();
    const stranger = play.world.vendor.begin();
    const row = { ...sourceRow(1, stranger.begunAt, 'not ours'), tenant: `${tenant} ` };
    stranger.insert(sourceTable, row);
    stranger.commit();
    for (const next of acts) {
      if (next.kind === 'transfer') await play.transfer(next);
      else play.act(next);
      play.checkTables();
    }
    await play.end();
    play.checkTables();
  });
  await fc.assert(property, { numRuns: 500 });
});
