import { describe, expect, test } from 'vitest';
import type { LoadPlan } from '../../domain/load.ts';
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

const replace = { mode: 'replace' } as const;

export function describeReplacing(system: () => ConnectorUnderTest): void {
  const createRig = () => Rig.create(system());

  /** An attempt that lands the first so many batches of one row each, and does not finish. */
  async function attempt(rig: Rig, plan: Partial<LoadPlan>, batches = 99): Promise<void> {
    await using destination = await rig.openDestination();
    const load = await destination.open(rig.plan({ ...replace, ...plan }), going);
    const { resumeAfter } = load.progress;
    const all = await rig.read({ batchRowsMax: 1, resumeAfter });
    await writeAll(load, all.slice(0, batches));
  }

  /** The last attempt: it finds all rows landed and publishes them. */
  async function publish(rig: Rig, plan: Partial<LoadPlan>) {
    await using destination = await rig.openDestination();
    const load = await destination.open(rig.plan({ ...replace, ...plan }), going);
    return await load.finish(rig.close({ isFullRefresh: true }), going);
  }

  describe('a first load', () => {
    test('shows nothing until it shows all', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1, 'a'), row(2, 2, 'b')]);
      await attempt(rig, {});
      await using destination = await rig.openDestination();
      expect(await destination.describe(rig.landed.name)).toBeUndefined();
      const receipt = await publish(rig, { epoch: epoch(2) });
      expect(receipt).toEqual({ watermark: fenceAt, rowsPublished: 2 });
      expect(await rig.notes()).toEqual(['1 a', '2 b']);
      const live = await destination.describe(rig.landed.name);
      expect(live).toMatchObject({ kind: 'table', key: rig.landed.key });
      expect(live?.columns.map(({ name }) => name)).toEqual(
        rig.landed.columns.map(({ name }) => name),
      );
    });

    test('of no rows makes an empty table', async () => {
      const rig = await createRig();
      await rig.seed([]);
      expect(await rig.land(replace)).toMatchObject({ rowsPublished: 0 });
      expect(await rig.live()).toEqual([]);
    });

    test('is recorded like a merge, and told as a full refresh', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1)]);
      await attempt(rig, {});
      await publish(rig, { epoch: epoch(2) });
      await using destination = await rig.openDestination();
      const { owner, loadIdentity } = rig.plan();
      expect(await destination.recall(rig.modelId)).toMatchObject({
        owner,
        loadIdentity,
        table: rig.landed.name,
        watermark: fenceAt,
        greatest: minute(1),
        appliedTable: rig.landed,
        unfinished: undefined,
      });
      const status = await rig.system.readBack('_transfer_status');
      const line = status?.find((entry) => entry['table_name'] === rig.landed.name);
      expect(line).toMatchObject({ transfer_type: 'FULL_REFRESH' });
    });
  });

  describe('a refresh', () => {
    async function refreshed(): Promise<Rig> {
      const rig = await createRig();
      await rig.seed(Array.from({ length: 10 }, (_, index) => row(index + 1, 1, 'old')));
      await rig.land(replace);
      await rig.seed([row(2, 1, 'old'), row(3, 2, 'new'), row(11, 2, 'new')]);
      return rig;
    }

    test('shows the old rows until it shows the new ones, and those that are gone go', async () => {
      const rig = await refreshed();
      const later = laterTransfer();
      await attempt(rig, later);
      expect(await rig.live()).toHaveLength(10);
      expect(await publish(rig, { ...later, epoch: laterTransfer(2).epoch })).toMatchObject({
        rowsPublished: 3,
      });
      expect(await rig.notes()).toEqual(['2 old', '3 new', '11 new']);
    });

    test('keeps a column that the model has no more', async () => {
      const rig = await refreshed();
      const columns = rig.landed.columns.filter(({ name }) => name !== 'note');
      const narrow = { table: { ...rig.landed, columns }, wireColumns: ['changed_at', 'id'] };
      const batches = await rig.read({
        columns: rig.table.columns.filter(({ nameInSource }) => nameInSource !== 'note'),
      });
      await using destination = await rig.openDestination();
      const load = await destination.open(
        rig.plan({ ...replace, ...laterTransfer(), ...narrow }),
        going,
      );
      await writeAll(load, batches);
      await load.finish(rig.close(), going);
      expect(await rig.notes()).toEqual(['2 old', '3 old', '11 null']);
    });

    test('that did not finish is no hindrance to a later merge', async () => {
      const rig = await refreshed();
      await attempt(rig, laterTransfer(), 1);
      const merge = { ...laterTransfer(), epoch: epoch(1, 1_767_225_800_000_000) };
      await rig.land(merge);
      expect(await rig.live()).toHaveLength(11);
      await using destination = await rig.openDestination();
      expect(await destination.recall(rig.modelId)).toMatchObject({ unfinished: undefined });
    });
  });

  describe('going on with a replace', () => {
    test('of a row that several attempts read, the last reading stays', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1, 'a'), row(2, 2, 'b')]);
      await attempt(rig, {}, 1);
      await rig.seed([row(1, 3, 'A'), row(2, 2, 'b')]);
      await attempt(rig, { epoch: epoch(2) });
      await publish(rig, { epoch: epoch(3) });
      expect(await rig.notes()).toEqual(['1 A', '2 b']);
    });

    test('the same batch landed by two attempts leaves one copy', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1, 'a'), row(2, 2, 'b')]);
      const batches = await rig.read();
      for (const number of [1, 2]) {
        await using destination = await rig.openDestination();
        await writeAll(
          await destination.open(rig.plan({ ...replace, epoch: epoch(number) }), going),
          batches,
        );
      }
      expect(await publish(rig, { epoch: epoch(3) })).toMatchObject({ rowsPublished: 2 });
    });

    test('a catch-up repairs a row that moved back between two attempts', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1, 'a'), row(2, 2, 'b'), row(3, 3, 'c')]);
      await attempt(rig, {}, 1);
      await rig.seed([row(1, 1, 'a'), row(2, 2, 'b'), row(3, 0, 'C')]);
      await attempt(rig, { epoch: epoch(2) });
      await using destination = await rig.openDestination();
      const load = await destination.open(rig.plan({ ...replace, epoch: epoch(3) }), going);
      expect(load.progress).toMatchObject({ pass: 0, attempts: 3, rows: 2 });
      await load.startCatchUp(minute(30));
      await attempt(rig, { epoch: epoch(4) });
      await publish(rig, { epoch: epoch(5) });
      expect(await rig.notes()).toEqual(['1 a', '2 b', '3 C']);
    });

    test('a key that one attempt read twice is refused, and readers keep what they had', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1, 'old')]);
      await rig.land(replace);
      await rig.seed([row(1, 1, 'a'), row(1, 1, 'b')]);
      const later = laterTransfer();
      await using destination = await rig.openDestination();
      const load = await destination.open(rig.plan({ ...replace, ...later }), going);
      await writeAll(load, await rig.read());
      const keyFault = { kind: 'source_mismatch', code: 'KEYS' };
      await expect(load.finish(rig.close(), going)).rejects.toMatchObject(keyFault);
      expect(await rig.notes()).toEqual(['1 old']);
    });

    test('a copy that was refused for its key is begun anew, not gone on with', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1, 'a'), row(1, 1, 'b'), row(2, 20, 'c')]);
      await attempt(rig, {});
      const refused = publish(rig, { epoch: epoch(2) });
      await expect(refused).rejects.toMatchObject({ kind: 'source_mismatch', code: 'KEYS' });
      await rig.seed([row(1, 1, 'b'), row(2, 20, 'c')]);
      const later = { ...laterTransfer(), continues: true };
      await attempt(rig, later);
      await publish(rig, { ...later, epoch: laterTransfer(2).epoch });
      expect(await rig.notes()).toEqual(['1 b', '2 c']);
    });

    test('a later transfer goes on only where its plan says so', async () => {
      for (const continues of [true, false]) {
        const rig = await createRig();
        await rig.seed([row(1, 1, 'a'), row(2, 2, 'b')]);
        await attempt(rig, {}, 1);
        const later = { ...laterTransfer(), continues };
        await using destination = await rig.openDestination();
        const { progress } = await destination.open(rig.plan({ ...replace, ...later }), going);
        const expected = continues
          ? { attempts: 2, rows: 1 }
          : { attempts: 1, rows: 0, resumeAfter: undefined };
        expect(progress).toMatchObject(expected);
        await attempt(rig, { ...later, epoch: laterTransfer(2).epoch });
        await publish(rig, { ...later, epoch: laterTransfer(3).epoch });
        expect(await rig.notes()).toEqual(['1 a', '2 b']);
      }
    });

    test('an unfinished first load is remembered with its window', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1)]);
      const window = { after: minute(0), upTo: minute(5) };
      await attempt(rig, { window });
      await using destination = await rig.openDestination();
      const record = await destination.recall(rig.modelId);
      const { transferId, revisionId, loadIdentity, owner } = rig.plan();
      expect(record).toMatchObject({ owner, loadIdentity: undefined, table: rig.landed.name });
      expect(record?.unfinished).toMatchObject({
        transferId,
        revisionId,
        mode: 'replace',
        loadIdentity,
        window,
      });
    });
  });

  describe('publishing', () => {
    test('of a load that the destination does not know any more publishes nothing', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1, 'a')]);
      await rig.land(replace);
      // Put back to before the refresh was begun, once all its rows had been written.
      await using destination = await rig.openDestination();
      const plan = rig.plan({ ...replace, ...laterTransfer(), isWhole: true });
      await expect(destination.open(plan, going)).rejects.toMatchObject({
        kind: 'schema_conflict',
      });
      expect(await rig.notes()).toEqual(['1 a']);
    });

    test('may be asked for again, by the same attempt and by the next', async () => {
      for (const isRefresh of [false, true]) {
        const rig = await createRig();
        await rig.seed([row(1, 1, 'a'), row(2, 2, 'b')]);
        if (isRefresh)
          await rig.land({
            ...replace,
            transferId: laterTransfer().transferId,
            epoch: epoch(1, 1),
          });
        await attempt(rig, {});
        await using destination = await rig.openDestination();
        const load = await destination.open(rig.plan({ ...replace, epoch: epoch(2) }), going);
        const receipt = await load.finish(rig.close(), going);
        expect(await load.finish(rig.close(), going)).toEqual(receipt);
        expect(await publish(rig, { epoch: epoch(3) })).toEqual(receipt);
        expect(await rig.notes()).toEqual(['1 a', '2 b']);
      }
    });

    test('is refused to an attempt that has been followed by another', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1)]);
      await using destination = await rig.openDestination();
      const first = await destination.open(rig.plan(replace), going);
      await writeAll(first, await rig.read());
      await using other = await rig.openDestination();
      await other.open(rig.plan({ ...replace, epoch: epoch(2) }), going);
      await expect(first.finish(rig.close(), going)).rejects.toMatchObject({ kind: 'fenced' });
      await expect(first.write(must((await rig.read())[0], 'batch'), going)).rejects.toMatchObject({
        kind: 'fenced',
      });
      expect(await rig.live()).toBeUndefined();
    });

    test('stops when it is cancelled, and readers keep what they had', async () => {
      const rig = await createRig();
      await rig.seed([row(1, 1)]);
      await attempt(rig, {});
      await using destination = await rig.openDestination();
      const load = await destination.open(rig.plan({ ...replace, epoch: epoch(2) }), going);
      const finishing = load.finish(rig.close(), AbortSignal.abort());
      await expect(finishing).rejects.toMatchObject({ kind: 'cancelled' });
      expect(await rig.live()).toBeUndefined();
      expect(await publish(rig, { epoch: epoch(3) })).toMatchObject({ rowsPublished: 1 });
    });
  });
}
