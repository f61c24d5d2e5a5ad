import type { Batch, ReadRequest } from '../connectors/connector.ts';
import { Failure } from '../domain/failure.ts';
import { countBatches } from './batch-counter.ts';
import { endSlice, type Slice } from './copy-slice.ts';
import { loadPlanOf } from './load-plan.ts';
import { isLastPart, openPass, readRequest } from './open-pass.ts';
import { watchProgress } from './progress-watch.ts';

/** So much is moved where the model is planned, beside the slots for loads, so it must be little. */
const fewBytesMax = 4 * 1024 * 1024;
const fewRowsMax = 20_000;
/** A source that has to search for the rows, or a destination that waits, is left to a slice. */
const fewMs = 3000;

/** Steps of a model are counted from 1, so whatever comes later ranks higher. */
const step = 0;

/**
 * Moves the rows of a merge that has few of them, and finishes it. Otherwise, and where it takes long, it
 * leaves them to the slices: nothing has been written then that they do not know of.
 * @returns whether the model is done
 */
export async function moveIfFew(
  slice: Pick<Slice, 'deps' | 'run' | 'table' | 'source' | 'destination'>,
): Promise<boolean> {
  const { limits } = slice.deps;
  const few = {
    batchBytesMax: Math.min(fewBytesMax, limits.batchBytesMax),
    batchRowsMax: Math.min(fewRowsMax, limits.batchRowsMax),
    progressMs: Math.min(fewMs, limits.progressMs),
  };
  const deps = { ...slice.deps, limits: { ...limits, ...few } };
  // A batch which leaves no room for one more row is full, and nothing is read to find that out.
  const rowBytesMax = Math.ceil(few.batchBytesMax / 8);
  using watch = watchProgress(deps);
  try {
    return await watch.guard(move({ ...slice, deps, step, watch }, rowBytesMax));
  } catch (error) {
    const isTooMuch =
      error instanceof Failure && (error.kind === 'no_progress' || error.kind === 'limit_reached');
    if (isTooMuch) return false;
    throw error;
  }
}

async function move(slice: Slice, rowBytesMax: number): Promise<boolean> {
  const { deps, run, table, source, destination, watch } = slice;
  const { signal } = watch;
  const plan = loadPlanOf(run, table, { step: slice.step, attempt: deps.attempt });
  const load = await destination.open(plan, signal);
  const pass = await openPass(source, { run, table, load });
  if (!isLastPart(pass)) return false;
  const request = { ...readRequest(deps, { run, table, load }, pass), rowBytesMax };
  const batches = await takeOnly(source.read(request, signal), request);
  if (batches === undefined) return false;
  const counter = await countBatches(deps, run, load);
  for (const batch of batches) {
    const { rowsChanged } = await load.write(batch, signal);
    await counter.add(batch, rowsChanged);
  }
  const end = { load, pass, counter, isExhausted: true, statements: 1 };
  return (await endSlice(slice, end)).next === 'done';
}

/** The one batch that a read has, or none; undefined where there is more. */
async function takeOnly(
  rows: AsyncIterable<Batch>,
  { batchRowsMax, batchBytesMax, rowBytesMax = 0 }: ReadRequest,
): Promise<readonly Batch[] | undefined> {
  const taken: Batch[] = [];
  for await (const batch of rows) {
    const isFull = batch.rows >= batchRowsMax || batch.bytes > batchBytesMax - rowBytesMax;
    if (isFull || taken.length > 0) return undefined;
    taken.push(batch);
  }
  return taken;
}
