import { randomUUID } from 'node:crypto';
import type {
  ConnectorDeclaration,
  Destination,
  Load,
  Reach,
  Receipt,
  Source,
} from '../connectors/connector.ts';
import { planEvolution } from '../domain/evolution.ts';
import { Failure } from '../domain/failure.ts';
import { landedTableOf } from '../domain/landed-table.ts';
import type { Fence, LoadPlan, Window } from '../domain/load.ts';
import type { SharedTable } from '../domain/model.ts';
import { loadIdentityOf } from '../domain/load-identity.ts';
import {
  afterSlice,
  catchUpWindow,
  isLastSlice,
  mainWindow,
  movesWatermark,
  nextWatermark,
  planLoad,
  type LoadDecision,
} from '../domain/plan.ts';
import { must } from '../lib/must.ts';

/** One model on its way from one source to one destination. */
export interface Route {
  readonly source: ConnectorDeclaration;
  readonly sourceSettings: unknown;
  readonly destination: ConnectorDeclaration;
  readonly destinationSettings: unknown;
  readonly reach: Reach;
  readonly table: SharedTable;
  readonly tenantId: string;
  readonly modelId: string;
  readonly batchRowsMax: number;
  /** The budget of a slice, in batches instead of minutes. */
  readonly batchesPerSlice: number;
}

export interface Transfer {
  /** Later transfers have higher ones. */
  readonly startedAtMicros: number;
  readonly isFullRefresh?: boolean;
  readonly window?: Window;
  /** So many attempts at one step, then the transfer fails. */
  readonly attemptsMax?: number;
  /** Called when a batch has been read: the source goes on living. */
  readonly onBatch?: () => void;
  /** Attempts of these steps were given up for dead and live on beside their successors. */
  readonly undeadSteps?: readonly number[];
}

interface Plan {
  readonly decision: LoadDecision;
  readonly fence: Fence;
  readonly lookbackSeconds: number;
  readonly loadIdentity: string;
}

/** A run: what the workflow of a model holds while it goes through its steps. */
interface Run {
  readonly route: Route;
  readonly transfer: Transfer;
  readonly transferId: string;
}

const going = new AbortController().signal;

/**
 * Plan, evolve, slices, finish, each step repeated under a higher attempt while it fails: what the workflow
 * and its activities do with a connector, without either of them.
 */
export async function driveTransfer(route: Route, transfer: Transfer): Promise<Receipt> {
  const run: Run = { route, transfer, transferId: randomUUID() };
  const plan = await repeat(run, () => makePlan(run));
  await repeat(run, () => evolve(run, plan.decision.mode === 'merge'));
  for (let step = 1; ; step += 1) {
    const copy = (attempt: number) => copySlice(run, plan, { step, attempt });
    const slice = transfer.undeadSteps?.includes(step)
      ? await besideUndead(run, copy)
      : await repeat(run, copy);
    if (slice === 'go_on') continue;
    if (slice !== 'publish') return slice;
    await repeat(run, () => evolve(run, true));
    return repeat(run, (attempt) => publish(run, plan, { step: step + 1, attempt }));
  }
}

/** What the first attempt answers is not heard any more; that it ends in some way we know is all we ask. */
async function besideUndead<T>(run: Run, step: (attempt: number) => Promise<T>): Promise<T> {
  const undead = step(1).catch((error: unknown) => {
    if (!(error instanceof Failure)) throw error;
  });
  try {
    return await repeat(run, (attempt) => step(attempt + 1));
  } finally {
    await undead;
  }
}

async function repeat<T>({ transfer }: Run, step: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await step(attempt);
    } catch (error) {
      const mayRepeat = error instanceof Failure && error.policy.retry === 'soon';
      if (!mayRepeat || attempt >= (transfer.attemptsMax ?? 10)) throw error;
    }
  }
}

async function openSource({ source, sourceSettings, reach }: Route): Promise<Source> {
  return must((await source.load()).source, 'source role').open(sourceSettings, reach);
}

async function openDestination(route: Route): Promise<Destination> {
  const role = must((await route.destination.load()).destination, 'destination role');
  return role.open(route.destinationSettings, route.reach);
}

async function makePlan({ route, transfer, transferId }: Run): Promise<Plan> {
  const { table, tenantId, modelId } = route;
  await using destination = await openDestination(route);
  await using source = await openSource(route);
  const record = await destination.recall(modelId);
  const { lookbackSeconds } = must((await route.source.load()).source, 'source role');
  const loadIdentity = loadIdentityOf({ sourceId: 'source-1', table, tenantId });
  const fence = await source.fence(table, record?.fence);
  const decision = planLoad({
    transferId,
    revisionId: 'revision-1',
    loadIdentity,
    owner: 'prod/destination-1',
    tableName: table.destinationTable,
    isFullRefresh: transfer.isFullRefresh ?? false,
    isBackfill: false,
    isOutdated: false,
    explicitWindow: transfer.window ?? { after: undefined, upTo: undefined },
    startBoundEpochSeconds: undefined,
    lookbackSeconds,
    fence,
    record,
    tableExists: (await destination.describe(table.destinationTable)) !== undefined,
    ownerIsGone: false,
  });
  return { decision, fence, lookbackSeconds, loadIdentity };
}

/** A replace leaves the live table alone until it publishes. */
async function evolve({ route }: Run, mayAlter: boolean): Promise<void> {
  await using destination = await openDestination(route);
  const landed = landedTableOf(route.table);
  const steps = planEvolution(landed, await destination.describe(landed.name)).filter(
    ({ kind }) => kind === 'create_schema' || (mayAlter && kind !== 'create_table'),
  );
  if (steps.length === 0) return;
  await destination.apply({ modelId: route.modelId, table: landed, steps });
}

interface Rank {
  readonly step: number;
  readonly attempt: number;
}

function loadPlanOf({ route, transfer, transferId }: Run, plan: Plan, rank: Rank): LoadPlan {
  const { table } = route;
  return {
    owner: 'prod/destination-1',
    modelId: route.modelId,
    modelName: table.modelName,
    revisionId: 'revision-1',
    transferId,
    table: landedTableOf(table),
    wireColumns: table.columns.map(({ nameInDestination }) => nameInDestination),
    lastModified: table.lastModified.nameInDestination,
    loadIdentity: plan.loadIdentity,
    mode: plan.decision.mode,
    window: plan.decision.window,
    fence: plan.fence.at,
    continues: plan.decision.continues,
    movesWatermark: movesWatermark(plan.decision),
    isWhole: false,
    encoding: 'copy_text',
    epoch: { startedAtMicros: transfer.startedAtMicros, ...rank },
  };
}

async function copySlice(run: Run, plan: Plan, rank: Rank): Promise<'go_on' | 'publish' | Receipt> {
  const { route } = run;
  const { lookbackSeconds, decision } = plan;
  await using source = await openSource(route);
  await using destination = await openDestination(route);
  const load = await destination.open(loadPlanOf(run, plan, rank), going);
  const opened = load.progress;
  const window =
    opened.pass === 0
      ? mainWindow({ decision, progress: opened, lookbackSeconds })
      : must(
          catchUpWindow({ progress: opened, window: decision.window, lookbackSeconds }),
          'window',
        );
  // A load of an earlier transfer that goes on keeps the fence it began with, which is older than the plan's.
  const fence =
    opened.pass === 0 ? opened.fence : (await source.fence(route.table, opened.fence)).at;
  const mayStop = !isLastSlice(opened, plan.fence);

  const isExhausted = await moveRows(run, { source, load, window, mayStop });
  const { progress } = load;
  const end = {
    isExhausted,
    tookLongerThanSlice: false,
    statements: 1,
    progress,
    window: decision.window,
    lookbackSeconds,
  };
  const next = afterSlice(end);
  if (next === 'catch_up') await load.startCatchUp(fence);
  if (next !== 'finish') return 'go_on';
  return decision.mode === 'replace' ? 'publish' : await finish(plan, load, fence);
}

interface Slice {
  readonly source: Source;
  readonly load: Load;
  readonly window: Window;
  readonly mayStop: boolean;
}

/** @returns whether the source has no more rows of the window. */
async function moveRows({ route, transfer }: Run, slice: Slice): Promise<boolean> {
  const { table, batchRowsMax } = route;
  const request = {
    relation: table.relation,
    columns: table.columns,
    key: table.key,
    lastModified: table.lastModified,
    tenant: { column: table.tenantColumn, id: route.tenantId },
    window: slice.window,
    resumeAfter: slice.load.progress.resumeAfter,
    deltaAfter: undefined,
    encoding: 'copy_text' as const,
    batchBytesMax: 2 ** 20,
    batchRowsMax,
    position: undefined,
  };
  let batches = 0;
  for await (const batch of slice.source.read(request, going)) {
    transfer.onBatch?.();
    await slice.load.write(batch, going);
    batches += 1;
    if (slice.mayStop && batches >= route.batchesPerSlice) return false;
  }
  return true;
}

async function publish(run: Run, plan: Plan, rank: Rank): Promise<Receipt> {
  await using destination = await openDestination(run.route);
  const load = await destination.open({ ...loadPlanOf(run, plan, rank), isWhole: true }, going);
  return await finish(plan, load, load.progress.fence);
}

function finish({ decision, lookbackSeconds }: Plan, load: Load, fence: string): Promise<Receipt> {
  const { progress } = load;
  const watermark = nextWatermark({ decision, fence, progress, lookbackSeconds });
  const isFullRefresh = decision.mode === 'replace';
  return load.finish({ watermark, fence, isFullRefresh, rowsTransferred: progress.rows }, going);
}
