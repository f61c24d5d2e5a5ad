import type { Batch, Destination, Load, Source } from '../connectors/connector.ts';
import { getModelRun, type ModelRun } from '../db/model-runs.ts';
import type { Fence, Window } from '../domain/load.ts';
import { sharedTableOf, type SharedTable } from '../domain/model.ts';
import { afterSlice, catchUpWindow, isLastSlice, mainWindow } from '../domain/plan.ts';
import { tableForRead } from '../domain/source-query.ts';
import type { SliceResult, StepRef } from '../domain/steps.ts';
import { must } from '../lib/must.ts';
import { overlap } from '../lib/overlap.ts';
import { countBatches } from './batch-counter.ts';
import { closeLoad } from './close-load.ts';
import type { StepDeps } from './deps.ts';
import { openDestination, openSource } from './ends.ts';
import { loadPlanOf, planOf } from './load-plan.ts';
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
  return await watch.guard(move({ deps, ref, run, table, source, destination, watch }));
}

interface Move {
  readonly deps: StepDeps;
  readonly ref: StepRef;
  readonly run: ModelRun;
  readonly table: SharedTable;
  readonly source: Source;
  readonly destination: Destination;
  readonly watch: ProgressWatch;
}

async function move(slice: Move): Promise<SliceResult> {
  const { deps, run, table, source, watch } = slice;
  const rank = { step: slice.ref.step, attempt: deps.attempt };
  const load = await slice.destination.open(loadPlanOf(run, table, rank), watch.signal);
  const pass = await openPass(source, { run, table, load });
  const counter = await countBatches(deps, run, load);
  const reading = new AbortController();
  const rows = source.read(
    readRequest(deps, { run, table, load, pass }),
    AbortSignal.any([watch.signal, reading.signal]),
  );
  let isExhausted = true;
  const write = async (batch: Batch) => {
    const { rowsChanged } = await load.write(batch, watch.signal);
    await counter.add(batch, rowsChanged);
    watch.touch();
    const isSpent = !pass.isLast && counter.millisSinceFirst() >= deps.limits.sliceMs;
    if (!isSpent && !deps.isDraining()) return undefined;
    isExhausted = false;
    return 'stop';
  };
  const fillsMemory = ({ bytes }: Batch) => bytes > deps.limits.batchBytesMax;
  await overlap(rows, write, { reading, fillsMemory });

  const { progress } = load;
  const tookLongerThanSlice = counter.millisSinceFirst() > deps.limits.sliceMs;
  const { decision, lookbackSeconds } = planOf(run);
  const { window } = decision;
  const next = afterSlice({ isExhausted, tookLongerThanSlice, progress, window, lookbackSeconds });
  if (next === 'catch_up') await load.startCatchUp(pass.fence.at);
  const result = { ...counter.total, fence: pass.fence.at };
  if (next !== 'finish') return { ...result, next: 'slice' };
  if (decision.mode === 'replace') return { ...result, next: 'publish' };
  await closeLoad(deps, { run, table, load, fence: pass.fence.at });
  return { ...result, next: 'done' };
}

/** What one reading of a window goes by. */
interface Pass {
  readonly window: Window;
  readonly fence: Fence;
  readonly isLast: boolean;
}

/**
 * A catch-up takes a fence of its own before it reads. The main pass has the one it began with, which is
 * older than the plan's where the load of an earlier transfer goes on: its rows were read before this plan.
 */
async function openPass(
  source: Source,
  { run, table, load }: { run: ModelRun; table: SharedTable; load: Load },
): Promise<Pass> {
  const { progress } = load;
  const { fence, decision, lookbackSeconds } = planOf(run);
  const isLast = isLastSlice(progress, fence);
  if (progress.pass === 0) {
    const window = mainWindow({ decision, progress, lookbackSeconds });
    return { window, fence: { ...fence, at: progress.fence }, isLast };
  }
  const window = catchUpWindow({ progress, window: decision.window, lookbackSeconds });
  const known = must(window, 'window of a catch-up');
  const read = tableForRead(table, { tenantId: run.tenantId, window: known, watermark: undefined });
  return { window: known, fence: await source.fence(read, progress.fence), isLast };
}

/** What an increment has read before, its query need not yield; a catch-up reads it again on purpose. */
function knownBelow(run: ModelRun, { pass, watermark }: Load['progress']) {
  const { mode, isExplicit } = planOf(run).decision;
  return mode === 'merge' && !isExplicit && pass === 0 ? watermark : undefined;
}

function readRequest(
  { limits }: StepDeps,
  { run, table, load, pass }: { run: ModelRun; table: SharedTable; load: Load; pass: Pass },
) {
  const { window } = pass;
  const watermark = knownBelow(run, load.progress);
  const { relation } = tableForRead(table, { tenantId: run.tenantId, window, watermark });
  const { columns, key, lastModified, tenantColumn } = table;
  const { batchBytesMax, batchRowsMax } = limits;
  const { encoding, decision } = planOf(run);
  return {
    ...{ relation, columns, key, lastModified, encoding, batchBytesMax, batchRowsMax },
    tenant: { column: tenantColumn, id: run.tenantId },
    window,
    resumeAfter: load.progress.resumeAfter,
    deltaAfter: decision.watermark,
    position: pass.fence.position,
  };
}
