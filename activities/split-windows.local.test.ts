import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConnectorRegistry } from '../connectors/connector.ts';
import { memory } from '../connectors/memory.ts';
import { getTransfer } from '../db/transfers.ts';
import type { Window } from '../domain/load.ts';
import { createMetadata, type Metadata } from '../test/harness/metadata.ts';
import { createShipment, faultyMemory, type Shipment } from '../test/harness/shipment.ts';
import { openOne, runSteps, stepDeps } from '../test/harness/steps.ts';
import { closeTransfer } from './close-transfer.ts';
import { copySlice } from './copy-slice.ts';
import { planModel } from './plan-model.ts';

let metadata: Metadata;

beforeAll(async () => {
  metadata = await createMetadata();
});

afterAll(() => metadata[Symbol.asyncDispose]());

const minuteOfWindows = { max_transfer_time_window_seconds: 60 };

/** Rows one minute apart, and then an hour without any. */
async function createSplit(): Promise<Shipment> {
  const shipment = await createShipment(metadata, minuteOfWindows);
  for (const id of [1, 2, 3, 4, 5]) {
    shipment.write(id, 'first');
    shipment.vendor.advance(id === 3 ? 3600 : 60);
  }
  return shipment;
}

async function createChanged(): Promise<Shipment> {
  const shipment = await createSplit();
  await runSteps(shipment, faultyMemory([]));
  for (const id of [6, 7, 2, 8, 9]) {
    shipment.vendor.advance(60);
    shipment.write(id, 'second');
  }
  shipment.vendor.advance(60);
  return shipment;
}

/** The memory connector, which tells what it was asked to read, and of which windows it failed. */
function watchedMemory(fails: (read: number) => boolean = () => false) {
  const windows: Window[] = [];
  const load: typeof memory.load = async () => {
    const { source, ...roles } = await memory.load();
    if (source === undefined) return roles;
    const open: typeof source.open = async (...where) => {
      const opened = await source.open(...where);
      const read = opened.read.bind(opened);
      opened.read = (request, signal) => {
        if (request.batchRowsMax > 1) windows.push(request.window);
        if (fails(windows.length)) throw new Error('a window that cannot be read');
        return read(request, signal);
      };
      return opened;
    };
    return { ...roles, source: { ...source, open } };
  };
  const connectors: ConnectorRegistry = new Map([['memory', { ...memory, load }]]);
  return { connectors, windows };
}

/** One transfer that fails behind so many windows, and is ended there. */
async function failAfter(shipment: Shipment, count: number) {
  const options = watchedMemory((read) => read > count);
  const ref = await openOne(shipment, options);
  const deps = stepDeps(shipment, options);
  await planModel(deps, ref);
  await expect(copySlice(deps, { ...ref, step: 1 })).rejects.toThrow('cannot be read');
  const failure = { kind: 'source_busy', code: 'CONN', blame: 'first_party' } as const;
  const note = { ...failure, message: 'It failed.', detail: undefined };
  const outcomes = { [ref.modelId]: { status: 'ERROR', failure: note } } as const;
  await closeTransfer(deps, { transferId: ref.transferId, outcomes });
  return getTransfer(metadata.db, { environment: 'prod', id: ref.transferId });
}

function secondsOf({ after, upTo }: Window): number | undefined {
  if (after === undefined || upTo === undefined) return undefined;
  return (Date.parse(upTo) - Date.parse(after)) / 1000;
}

describe('a model with max_transfer_time_window_seconds', () => {
  test('is read window by window, the last of which has no end', async () => {
    const shipment = await createChanged();
    const { connectors, windows } = watchedMemory();
    const { models } = await runSteps(shipment, { connectors });
    expect(shipment.rowsAtDestination()).toEqual(shipment.rowsAtSource());
    const main = windows.slice(
      0,
      windows.findIndex(({ upTo }) => upTo === undefined),
    );
    expect(main.length).toBeGreaterThan(3);
    expect(main.map(secondsOf)).toEqual(main.map(() => 60));
    expect(main.slice(1).map(({ after }) => after)).toEqual(
      main.slice(0, -1).map(({ upTo }) => upTo),
    );
    expect(models).toMatchObject([{ windowUpTo: null }]);
  });

  test('is read without a walk through the years and hours in which there is no row', async () => {
    const shipment = await createSplit();
    const { connectors, windows } = watchedMemory();
    await runSteps(shipment, { connectors });
    expect(shipment.rowsAtDestination()).toEqual(shipment.rowsAtSource());
    expect(windows.length).toBeLessThan(12);
  });

  test('has figures that add up over its windows', async () => {
    const { models } = await runSteps(await createSplit(), faultyMemory([]));
    expect(models).toMatchObject([{ rows: 5, deltaRows: 5 }]);
  });

  test('that failed in a window keeps those before it, and the next transfer goes on there', async () => {
    const shipment = await createChanged();
    const before = shipment.rowsAtDestination();
    const failed = await failAfter(shipment, 3);
    expect(failed).toMatchObject({ status: 'PARTIAL_FAILURE', models: [{ status: 'ERROR' }] });
    const moved = failed.models[0]?.deltaRows ?? 0;
    expect(moved).toBeGreaterThan(0);
    expect(shipment.rowsAtDestination()).not.toEqual(before);
    const { connectors, windows } = watchedMemory();
    const next = await runSteps(shipment, { connectors });
    expect(shipment.rowsAtDestination()).toEqual(shipment.rowsAtSource());
    expect(next.models[0]?.deltaRows).toBe(5 - moved);
    expect(Date.parse(windows[0]?.after ?? '')).toBeGreaterThan(
      Date.parse(failed.models[0]?.windowAfter ?? ''),
    );
  });

  test('that failed in its first load goes on in the next transfer, and shows nothing before', async () => {
    const shipment = await createSplit();
    const failed = await failAfter(shipment, 2);
    expect(failed.status).toBe('ERROR');
    expect(shipment.rowsAtDestination()).toBeUndefined();
    const next = await runSteps(shipment, faultyMemory([]));
    expect(shipment.rowsAtDestination()).toEqual(shipment.rowsAtSource());
    expect((failed.models[0]?.rows ?? 0) + (next.models[0]?.rows ?? 0)).toBe(5);
  });

  test('gets a row that moves into a window behind the one that is read', async () => {
    const shipment = await createChanged();
    const { connectors } = watchedMemory((read) => {
      if (read === 3) shipment.write(3, 'moved');
      return false;
    });
    await runSteps(shipment, { connectors });
    expect(shipment.rowsAtDestination()).toEqual(shipment.rowsAtSource());
  });

  test.each([
    ['a first load', createSplit],
    ['an increment', createChanged],
  ])(
    'loses and doubles nothing in %s of which any call fails',
    async (_, create) => {
      const whole = faultyMemory([]);
      await runSteps(await create(), whole);
      const wrong: string[] = [];
      // Every call of every window is too many for one test: each third, before or after its effect.
      for (let call = 1; call <= whole.faults.calls.length; call += 3) {
        const when = call % 2 === 0 ? 'before' : 'after';
        const shipment = await create();
        await runSteps(shipment, faultyMemory([{ call, when }]));
        const isEqual = isDeepStrictEqual(shipment.rowsAtDestination(), shipment.rowsAtSource());
        if (!isEqual) wrong.push(`${when} call ${call}, ${whole.faults.calls[call - 1]}`);
      }
      expect(wrong).toEqual([]);
    },
    180_000,
  );
});
