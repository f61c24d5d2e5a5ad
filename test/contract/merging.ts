import { describe, expect, test } from 'vitest';
import type { Load } from '../../connectors/connector.ts';
import type { LoadProgress } from '../../domain/load.ts';
import { must } from '../../lib/must.ts';
import {
  epoch,
  fenceAt,
  going,
  laterTransfer,
  minute,
  Rig,
  row,
  writeAll,
  type ConnectorUnderTest,
} from './rig.ts';

const keyFault = { kind: 'source_mismatch', code: 'KEYS' };

export function describeMerging(system: () => ConnectorUnderTest): void {
  async function createRig(): Promise<Rig> {
    const rig = await Rig.create(system());
    await using destination = await rig.openDestination();
    await rig.evolve(destination);
    return rig;
  }

  describe('a merge', () => {
    const checkBothChange = async (deltaAfter: string | undefined) => {
      const rig = await createRig();
      await rig.seed([row(1, 1, 'a'), row(2, 1, 'b'), row(3, 1, null)]);
      await rig.land();
      await rig.seed([row(1, 1, 'a'), row(2, 2, 'B'), row(3, 1, null), row(4, 2, 'd')]);
      await using destination = await rig.openDestination();
      const load = await destination.open(rig.plan(laterTransfer()), going);
      const [batch] = await rig.read({ deltaAfter });
      const { rowsChanged } = await load.write(must(batch, 'batch'), going);
      expect([2, undefined]).toContain(rowsChanged);
      expect(await rig.notes()).toEqual(['1 a', '2 B', '3 null', '4 d']);
    };

    test('adds new rows, replaces those that differ and counts both', () =>
      checkBothChange(undefined));
    test('does the same with rows that are read again', () => checkBothChange(minute(9)));

    test('takes the last to arrive, also where its stamp is older', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 5, 'first')]);
      await rig.land();
      await rig.seed([row(1, 2, 'last')]);
      await rig.land(laterTransfer());
      expect(await rig.notes()).toEqual(['1 last']);
    });

    test('keeps rows that are gone from the source', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1), row(2, 1)]);
      await rig.land();
      await rig.seed([row(2, 1)]);
      await rig.land(laterTransfer());
      expect(await rig.live()).toHaveLength(2);
    });

    test('is refused where there is neither a copy nor a table: the next plan begins a new one', async () => {
      const rig = await Rig.create(system());
      await using destination = await rig.openDestination();
      const opened = destination.open(rig.plan(), going);
      await expect(opened).rejects.toMatchObject({ kind: 'destination_missing' });
      expect((await destination.recall(rig.plan().modelId))?.loadIdentity).toBeUndefined();
    });

    test('is visible batch by batch', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1), row(2, 2)]);
      const [first] = await rig.read({ batchRowsMax: 1 });
      await using destination = await rig.openDestination();
      const load = await destination.open(rig.plan(), going);
      await writeAll(load, [must(first, 'batch')]);
      expect(await rig.live()).toHaveLength(1);
    });

    test('lands the same batch again without harm', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1, 'a'), row(2, 1, 'b')]);
      const batches = await rig.read();
      await using destination = await rig.openDestination();
      const load = await destination.open(rig.plan(), going);
      await writeAll(load, [...batches, ...batches]);
      const again = await destination.open(rig.plan({ epoch: epoch(2) }), going);
      await writeAll(again, batches);
      await again.finish(rig.close(), going);
      expect(await rig.notes()).toEqual(['1 a', '2 b']);
    });

    test('refuses a batch that has a key twice, and keeps nothing of it', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1, 'a'), row(2, 1, 'b'), row(1, 1, 'c')]);
      await expect(rig.land()).rejects.toMatchObject(keyFault);
      expect(await rig.live()).toEqual([]);
    });

    test('refuses a row without a key', async () => {
      const rig = await createRig();
      await rig.seed([{ ...row(1, 1), id: null }]);
      await expect(rig.land()).rejects.toMatchObject(keyFault);
      expect(await rig.live()).toEqual([]);
    });

    test('writes nothing once it is cancelled', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1)]);
      const batches = await rig.read();
      await using destination = await rig.openDestination();
      const load = await destination.open(rig.plan(), going);
      const cancelled = { kind: 'cancelled' };
      const writing = load.write(must(batches[0], 'batch'), AbortSignal.abort());
      await expect(writing).rejects.toMatchObject(cancelled);
      expect(await rig.live()).toEqual([]);
    });
  });

  describe('going on after a death', () => {
    /** Lands the first so many batches of one row each, then opens the load again as another attempt. */
    async function dieAfter(
      batches: number,
    ): Promise<{ rig: Rig; progress: LoadProgress; load: Load }> {
      const rig = await createRig();
      await rig.seed([row(1, 1, 'a'), row(2, 1, 'b'), row(3, 2, 'c')]);
      const all = await rig.read({ batchRowsMax: 1 });
      const first = await rig.openDestination();
      await writeAll(await first.open(rig.plan(), going), all.slice(0, batches));
      await first[Symbol.asyncDispose]();
      const second = await rig.openDestination();
      const load = await second.open(rig.plan({ epoch: epoch(2), fence: minute(9) }), going);
      return { rig, load, progress: load.progress };
    }

    test('begins after the last batch that was committed', async () => {
      const { rig, load, progress } = await dieAfter(2);
      expect(progress).toMatchObject({ pass: 0, attempts: 2, rows: 2, greatest: minute(1) });
      expect(progress.resumeAfter).toEqual({ lastModified: minute(1), key: ['2'] });
      await writeAll(load, await rig.read({ resumeAfter: progress.resumeAfter }));
      await load.finish(rig.close(), going);
      expect(await rig.notes()).toEqual(['1 a', '2 b', '3 c']);
    });

    test('keeps the fence under which the pass began', async () => {
      const { progress } = await dieAfter(1);
      expect(progress.fence).toBe(fenceAt);
    });

    test('is still one snapshot where nothing had been committed', async () => {
      const { progress } = await dieAfter(0);
      expect(progress).toMatchObject({ pass: 0, attempts: 1, rows: 0, resumeAfter: undefined });
    });

    test('follows the writes of its own attempt', async () => {
      const { rig, load } = await dieAfter(1);
      await writeAll(load, await rig.read({ resumeAfter: load.progress.resumeAfter }));
      expect(load.progress).toMatchObject({ attempts: 2, rows: 3, greatest: minute(2) });
      expect(load.progress.resumeAfter).toEqual({ lastModified: minute(2), key: ['3'] });
    });

    test('is remembered as unfinished', async () => {
      const { rig } = await dieAfter(1);
      await using destination = await rig.openDestination();
      const record = await destination.recall(rig.modelId);
      const { transferId, revisionId, mode, loadIdentity, window } = rig.plan();
      expect(record?.unfinished).toMatchObject({
        transferId,
        revisionId,
        mode,
        loadIdentity,
        window,
      });
      expect(record).toMatchObject({
        epoch: epoch(2),
        loadIdentity: undefined,
        watermark: undefined,
      });
    });

    test('an increment moves the watermark with each batch, never past its fence, and never back', async () => {
      const rig = await createRig();
      await using destination = await rig.openDestination();
      const before = await destination.open(rig.plan(), going);
      await before.finish(rig.close({ watermark: minute(3) }), going);
      await rig.seed([row(1, 2), row(2, 4), row(3, 8)]);
      const plan = { ...laterTransfer(), movesWatermark: true, fence: minute(6) };
      const load = await destination.open(rig.plan(plan), going);
      const moved: unknown[] = [];
      for (const batch of await rig.read({ batchRowsMax: 1 })) {
        await load.write(batch, going);
        const record = await destination.recall(rig.modelId);
        expect(load.progress.watermark).toEqual(record?.watermark);
        moved.push(record?.watermark);
      }
      expect(moved).toEqual([minute(3), minute(4), minute(6)]);
    });

    test('no other merge moves the watermark before it has finished', async () => {
      const { rig } = await dieAfter(3);
      await using destination = await rig.openDestination();
      expect((await destination.recall(rig.modelId))?.watermark).toBeUndefined();
    });

    test('belongs to its transfer: another one begins anew', async () => {
      const { rig } = await dieAfter(2);
      await using destination = await rig.openDestination();
      const { progress } = await destination.open(rig.plan(laterTransfer()), going);
      expect(progress).toMatchObject({ pass: 0, attempts: 1, rows: 0, resumeAfter: undefined });
    });
  });

  describe('epochs', () => {
    const fenced = { kind: 'fenced' };

    test('an attempt that has been followed by another lands nothing', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1, 'old')]);
      const stale = await rig.read();
      await rig.seed([row(1, 2, 'new')]);
      await using slow = await rig.openDestination();
      const first = await slow.open(rig.plan(), going);
      await using quick = await rig.openDestination();
      const second = await quick.open(rig.plan({ epoch: epoch(2) }), going);
      await writeAll(second, await rig.read());
      await expect(writeAll(first, stale)).rejects.toMatchObject(fenced);
      await expect(first.startCatchUp(fenceAt)).rejects.toMatchObject(fenced);
      await expect(first.finish(rig.close(), going)).rejects.toMatchObject(fenced);
      await second.finish(rig.close(), going);
      await expect(writeAll(first, stale)).rejects.toMatchObject(fenced);
      expect(await rig.notes()).toEqual(['1 new']);
    });

    test('an attempt that was frozen before it began cannot push out its successor', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1)]);
      await using destination = await rig.openDestination();
      const second = await destination.open(rig.plan({ epoch: epoch(2) }), going);
      await using late = await rig.openDestination();
      await expect(late.open(rig.plan({ epoch: epoch(1) }), going)).rejects.toMatchObject(fenced);
      const ofOldTransfer = laterTransfer();
      await using other = await rig.openDestination();
      await expect(
        other.open(rig.plan({ ...ofOldTransfer, epoch: epoch(9, 1_000_000) }), going),
      ).rejects.toMatchObject(fenced);
      await writeAll(second, await rig.read());
      expect(await rig.live()).toHaveLength(1);
    });

    test('the same epoch may be shown again', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1)]);
      await using destination = await rig.openDestination();
      await destination.open(rig.plan(), going);
      const load = await destination.open(rig.plan(), going);
      await writeAll(load, await rig.read());
      expect(await rig.live()).toHaveLength(1);
    });

    test('a later transfer takes over from one that never ended', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1, 'a')]);
      const batches = await rig.read();
      await using destination = await rig.openDestination();
      const first = await destination.open(rig.plan(), going);
      await rig.land(laterTransfer());
      await expect(writeAll(first, batches)).rejects.toMatchObject(fenced);
    });
  });

  describe('a catch-up', () => {
    test('repairs a row that moved back between two snapshots', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1, 'a'), row(2, 2, 'b'), row(3, 3, 'c')]);
      const [first] = await rig.read({ batchRowsMax: 1 });
      await using destination = await rig.openDestination();
      await writeAll(await destination.open(rig.plan(), going), [must(first, 'batch')]);

      // Row 3 goes to a place that the next attempt has passed already.
      await rig.seed([row(1, 1, 'a'), row(2, 2, 'b'), row(3, 0, 'C')]);
      const second = await destination.open(rig.plan({ epoch: epoch(2) }), going);
      await writeAll(second, await rig.read({ resumeAfter: second.progress.resumeAfter }));
      expect(await rig.notes()).toEqual(['1 a', '2 b']);

      await second.startCatchUp(minute(30));
      const third = await destination.open(rig.plan({ epoch: epoch(3) }), going);
      expect(third.progress).toMatchObject({
        pass: 1,
        attempts: 1,
        resumeAfter: undefined,
        rows: 2,
        fence: minute(30),
      });
      await writeAll(third, await rig.read());
      await third.finish(rig.close(), going);
      expect(await rig.notes()).toEqual(['1 a', '2 b', '3 C']);
    });

    test('is always read whole: it keeps no cursor and counts no rows', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1, 'a'), row(2, 2, 'b')]);
      const batches = await rig.read({ batchRowsMax: 1 });
      await using destination = await rig.openDestination();
      const first = await destination.open(rig.plan(), going);
      await writeAll(first, batches.slice(0, 1));
      await first.startCatchUp(minute(30));
      await first.startCatchUp(minute(30));
      for (const attempt of [2, 3]) {
        const load = await destination.open(rig.plan({ epoch: epoch(attempt) }), going);
        const expected = { pass: 1, attempts: 1, rows: 1, resumeAfter: undefined };
        expect(load.progress).toMatchObject(expected);
        await writeAll(load, batches);
        expect(load.progress).toMatchObject({ ...expected, greatest: minute(2) });
      }
    });
  });

  describe('the end of a merge', () => {
    test('records what has landed, for us and for the customer', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1), row(2, 2)]);
      const receipt = await rig.land();
      expect(receipt).toEqual({ watermark: fenceAt, rowsPublished: undefined });
      await using destination = await rig.openDestination();
      const { owner, loadIdentity, transferId } = rig.plan();
      expect(await destination.recall(rig.modelId)).toEqual({
        owner,
        loadIdentity,
        table: rig.landed.name,
        epoch: epoch(1),
        watermark: fenceAt,
        greatest: minute(2),
        fence: fenceAt,
        appliedTable: rig.landed,
        unfinished: undefined,
      });
      const status = await rig.system.readBack('_transfer_status');
      const line = status?.find((entry) => entry['table_name'] === rig.landed.name);
      expect(line).toMatchObject({
        model_name: rig.table.modelName,
        transfer_id: transferId,
        transfer_type: 'INCREMENTAL',
        rows_transferred: '1',
        transfer_last_updated_at: expect.any(String),
      });
    });

    test('may be asked for again, by the same attempt and by the next', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1, 'a')]);
      await using destination = await rig.openDestination();
      const load = await destination.open(rig.plan(), going);
      await writeAll(load, await rig.read());
      const receipt = await load.finish(rig.close(), going);
      expect(await load.finish(rig.close(), going)).toEqual(receipt);
      const before = await destination.recall(rig.modelId);

      await using other = await rig.openDestination();
      const again = await other.open(rig.plan({ epoch: epoch(2) }), going);
      expect(again.progress).toMatchObject({ attempts: 1 });
      await writeAll(again, await rig.read({ resumeAfter: again.progress.resumeAfter }));
      expect(await again.finish(rig.close(), going)).toEqual(receipt);
      expect(await other.recall(rig.modelId)).toEqual({ ...before, epoch: epoch(2) });
      expect(await rig.notes()).toEqual(['1 a']);
    });

    test('tells the next load its watermark and its greatest value, another copy neither', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1)]);
      await rig.land();
      await using destination = await rig.openDestination();
      const next = await destination.open(rig.plan(laterTransfer()), going);
      expect(next.progress).toMatchObject({ watermark: fenceAt, greatest: minute(1) });
      const copy = { ...laterTransfer(2), loadIdentity: 'b'.repeat(64), mode: 'replace' as const };
      const other = await destination.open(rig.plan(copy), going);
      expect(other.progress).toMatchObject({ watermark: undefined, greatest: undefined });
    });

    test('a model of which nothing was landed is not remembered', async () => {
      const rig = await Rig.create(system());
      await using destination = await rig.openDestination();
      expect(await destination.recall(rig.modelId)).toBeUndefined();
    });
  });
}
