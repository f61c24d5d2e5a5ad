import type { Batch, Destination, Load, Source } from '../connectors/connector.ts';
import { getModelRun, type ModelRun } from '../db/model-runs.ts';
import { Failure } from '../domain/failure.ts';
import { sharedTableOf, type SharedTable } from '../domain/model.ts';
import { afterSlice, type SliceEnd } from '../domain/plan.ts';
import type { SliceResult, StepRef } from '../domain/steps.ts';
import { overlap } from '../lib/overlap.ts';
import { countBatches, type BatchCounter } from './batch-counter.ts';
import { closeLoad, yieldBackfill } from './close-load.ts';
import type { StepDeps } from './deps.ts';
import { openDestination, openSource } from './ends.ts';
import { loadPlanOf, planOf } from './load-plan.ts';
import { waysToMake } from './make-way.ts';
import { findRest, isLastPart, openPass, readRequest, type Pass } from './open-pass.ts';
import { watchProgress, type ProgressWatch } from './progress-watch.ts';

/**
 * Moves rows until the window is exhausted, the time budget spent or the worker about to stop. It goes on
 * after the last batch that the destination committed, and its epoch keeps an older attempt from writing, so
 * it may run again at any point, and beside itself.
 */
export async function copySlice(deps: StepDeps, ref: StepRef): Promise<SliceResult> {
  const run = await getModelRun(deps.db, ref);
  const table = sharedTableOf(run.definition);
  // Its end is on record, and whoever asks again did not hear of it.
  if (run.status === 'SUCCESS')
    return { next: 'done', rows: 0, bytes: 0, batches: 0, fence: planOf(run).fence.at };
  await using source = await openSource(deps, run);
  await using destination = await openDestination(deps, run.destinationConnectionId);
  using watch = watchProgress(deps);
  return await watch.guard(move({ deps, step: ref.step, run, table, source, destination, watch }));
}

export interface Slice {
  readonly deps: StepDeps;
  readonly step: number;
  readonly run: ModelRun;
  readonly table: SharedTable;
  readonly source: Source;
  readonly destination: Destination;
  readonly watch: ProgressWatch;
}

/**
 * The parts of a window are read one after the other. Opening the load again makes each that has rows an
 * attempt of its own, as everything is that comes from a snapshot of its own.
 */
async function move(slice: Slice): Promise<SliceResult> {
  const { deps, run, table, source, watch } = slice;
  const rank = { step: slice.step, attempt: deps.attempt };
  const open = () => slice.destination.open(loadPlanOf(run, table, rank), watch.signal);
  let load = await open();
  const counter = await countBatches(deps, run, load);
  let pass = await openPass(source, { run, table, load });
  let moved = await movePart(slice, { load, pass, counter });
  let statements = 1;
  while (moved.isExhausted && !isLastPart(pass)) {
    watch.touch();
    if (isSpent(deps, pass, counter)) {
      moved = { ...moved, isExhausted: false };
      break;
    }
    const { request, hasRows } = moved;
    const { signal } = watch;
    statements += 1;
    const place = hasRows ? pass.part.upTo : await findRest(source, { request, pass, signal });
    if (place === undefined) break;
    if (hasRows) load = goingOn(await open());
    pass = await openPass(source, { run, table, load }, place);
    moved = await movePart(slice, { load, pass, counter });
  }
  if (moved.makesWay) {
    await yieldBackfill(deps, { run, table, load });
    return { ...counter.total, fence: pass.fence.at, next: 'done' };
  }
  return await endSlice(slice, { load, pass, counter, statements, isExhausted: moved.isExhausted });
}

/** What was written before this part is behind its cursor, unless the destination was put back. */
function goingOn(load: Load): Load {
  if (load.progress.resumeAfter !== undefined) return load;
  const sentence = 'The destination does not know the load any more, as after it was put back.';
  throw new Failure('destination_busy', sentence);
}

interface OpenPart {
  readonly load: Load;
  readonly pass: Pass;
  readonly counter: BatchCounter;
}

function isSpent({ limits, isDraining }: StepDeps, pass: Pass, counter: BatchCounter): boolean {
  return (!pass.isLast && counter.millisSinceFirst() >= limits.sliceMs) || isDraining();
}

async function movePart(slice: Slice, { load, pass, counter }: OpenPart) {
  const { deps, run, table, source, watch } = slice;
  const reading = new AbortController();
  const request = readRequest(deps, { run, table, load }, pass);
  const rows = source.read(request, AbortSignal.any([watch.signal, reading.signal]));
  const mustMakeWay = waysToMake(deps, run);
  let [isExhausted, hasRows, makesWay] = [true, false, false];
  const write = async (batch: Batch) => {
    hasRows = true;
    const { rowsChanged } = await load.write(batch, watch.signal);
    await counter.add(batch, rowsChanged);
    watch.touch();
    makesWay = await mustMakeWay(batch);
    if (!makesWay && !isSpent(deps, pass, counter)) return undefined;
    isExhausted = false;
    return 'stop';
  };
  const fillsMemory = ({ bytes }: Batch) => bytes > deps.limits.batchBytesMax;
  await overlap(rows, write, { reading, fillsMemory });
  return { request, isExhausted, hasRows, makesWay };
}

/** Says what comes next, and finishes a merge that has all its rows. */
export async function endSlice(
  { deps, run, table }: Slice,
  { load, pass, counter, ...end }: OpenPart & Pick<SliceEnd, 'isExhausted' | 'statements'>,
): Promise<SliceResult> {
  const { progress } = load;
  const tookLongerThanSlice = counter.millisSinceFirst() > deps.limits.sliceMs;
  const { decision, lookbackSeconds } = planOf(run);
  const { window } = decision;
  const next = afterSlice({ ...end, tookLongerThanSlice, progress, window, lookbackSeconds });
  if (next === 'catch_up') await load.startCatchUp(pass.fence.at);
  const result = { ...counter.total, fence: pass.fence.at };
  if (next !== 'finish') return { ...result, next: 'slice' };
  if (decision.mode === 'replace') return { ...result, next: 'publish' };
  await closeLoad(deps, { run, table, load, fence: pass.fence.at });
  return { ...result, next: 'done' };
}
