import type { Destination, Source } from '../connectors/connector.ts';
import {
  getModelRun,
  hasLaterRevision,
  isDestinationGone,
  keepPlan,
  type ModelRun,
} from '../db/model-runs.ts';
import { appendLog } from '../db/transfer-log.ts';
import { checkNotDropped, planEvolution, type LiveTable } from '../domain/evolution.ts';
import { landedTableOf } from '../domain/landed-table.ts';
import type { LoadRecord } from '../domain/load.ts';
import { loadIdentityOf } from '../domain/load-identity.ts';
import { sharedTableOf, type SharedTable } from '../domain/model.ts';
import { planLoad, type PlanRequest, type StoredPlan } from '../domain/plan.ts';
import { tableForRead, wholeRead } from '../domain/source-query.ts';
import { checkWindowCount } from '../domain/split-window.ts';
import { laterBound } from '../domain/start-bound.ts';
import { environments } from '../domain/statuses.ts';
import type { PlannedModel, PlanRef } from '../domain/steps.ts';
import { countsUnstamped, judgeUnstamped, unstampedRowsMax } from '../domain/unstamped.ts';
import type { StepDeps } from './deps.ts';
import { openDestination, sourceEnd } from './ends.ts';
import { ownerOf } from './load-plan.ts';
import { moveIfFew } from './move-few.ts';
import { describePlan, rfc3339, summarisePlan } from './plan-text.ts';

/**
 * Decides which rows this run reads and how they land, from what the destination remembers and the
 * source's fence. The first plan made is kept and every attempt goes by it; a fence taken a second time is
 * only later, and dropped. Few rows are moved at once, under an epoch below that of every slice.
 */
export async function planModel(deps: StepDeps, ref: PlanRef): Promise<PlannedModel> {
  const run = await getModelRun(deps.db, ref);
  const table = sharedTableOf(run.definition);
  const { open, lookbackSeconds } = await sourceEnd(deps, run);
  await using source = await open();
  await using destination = await openDestination(deps, run.destinationConnectionId);
  const live = await destination.describe(table.destinationTable);
  const record = await destination.recall(run.modelId);
  const ends = { source, destination, lookbackSeconds };
  const plan = run.plan ?? (await makePlan(deps, { run, table, ends, live, record }));
  // Also for a replace, which leaves the live table alone until it publishes: a conflict is told early.
  const steps = planEvolution(landedTableOf(table), live);
  const isMerge = plan.decision.mode === 'merge';
  if (isMerge) checkNotDropped(steps, record?.appliedTable);
  const mustEvolve = isMerge && steps.length > 0;
  const mayMove = ref.mayMove === true && isMerge && !mustEvolve;
  const isDone =
    run.status === 'SUCCESS' ||
    (mayMove && (await moveIfFew({ deps, run: { ...run, plan }, table, source, destination })));
  return {
    mode: plan.decision.mode,
    isDone,
    mustEvolve,
    windowEnd: rfc3339(plan.decision.window.upTo),
    summary: summarisePlan(plan),
  };
}

interface Planning {
  readonly run: ModelRun;
  readonly table: SharedTable;
  readonly ends: {
    readonly source: Source;
    readonly destination: Destination;
    /** Of the kind of source. */
    readonly lookbackSeconds: number;
  };
  readonly live: LiveTable | undefined;
  readonly record: LoadRecord | undefined;
}

async function makePlan(deps: StepDeps, planning: Planning): Promise<StoredPlan> {
  const { run, table, ends, live, record } = planning;
  const { source, destination } = ends;
  const read = tableForRead(table, { tenantId: run.tenantId, ...wholeRead });
  const request: PlanRequest = {
    transferId: run.transferId,
    revisionId: run.revisionId,
    loadIdentity: loadIdentityOf({ sourceId: run.sourceId, table, tenantId: run.tenantId }),
    owner: ownerOf(run),
    tableName: table.destinationTable,
    isFullRefresh: run.isFullRefresh,
    isBackfill: run.trigger === 'backfill',
    isOutdated: await hasLaterRevision(deps.db, run),
    explicitWindow: { after: run.windowAfter, upTo: run.windowUpTo },
    startBoundEpochSeconds: laterBound(run.startBoundEpoch, table.minStartEpochSeconds),
    lookbackSeconds: table.lookbackSeconds ?? ends.lookbackSeconds,
    // Before the first read: what commits later than this is the next run's.
    fence: await source.fence(read, record?.fence),
    record,
    tableExists: live !== undefined,
    ownerIsGone: await isOwnerGone(deps, run, record),
  };
  const unstamped = await lookForUnstamped(deps, { source, run, table, read });
  const decision = planLoad(request);
  const { windowSeconds: seconds } = table;
  if (seconds !== undefined && table.queryTemplate !== undefined) {
    checkWindowCount(decision.window, { seconds, now: request.fence.now });
  }
  const plan = await keepPlan(deps.db, run, {
    decision,
    fence: request.fence,
    lookbackSeconds: request.lookbackSeconds,
    windowSeconds: table.windowSeconds,
    encoding: destination.accepts(landedTableOf(table), await source.encodings(read)),
    loadIdentity: request.loadIdentity,
  });
  for (const line of [...describePlan(run.modelName, plan), ...unstamped]) {
    await appendLog(deps.db, { transferId: run.transferId, line });
  }
  return plan;
}

/** Without its index the source would search for long, and planning must not wait for a mere count. */
const countMs = 5000;
/** Where it decides whether anything may move at all. */
const refusalMs = 60_000;

/** A line for the log where rows are left out. @throws Failure `source_mismatch` where they are refused */
async function lookForUnstamped(
  deps: StepDeps,
  look: Pick<Planning, 'run' | 'table'> & { source: Source; read: SharedTable },
): Promise<string[]> {
  const { source, run, table, read } = look;
  if (!countsUnstamped(table)) return [];
  const { relation, lastModified, tenantColumn } = read;
  const tenant = { column: tenantColumn, id: run.tenantId };
  const max = unstampedRowsMax + 1;
  const patience = AbortSignal.timeout(table.refusesUnstamped ? refusalMs : countMs);
  const signal = AbortSignal.any([deps.signal, patience]);
  try {
    const counted = await source.countUnstamped({ relation, lastModified, tenant, max }, signal);
    const line = judgeUnstamped(table, counted);
    return line === undefined ? [] : [line];
  } catch (error) {
    if (!patience.aborted || table.refusesUnstamped) throw error;
    return [`${run.modelName}: rows without a last-modified value could not be counted in time.`];
  }
}

/** The owner's text comes from the customer's database: it only ever selects a row of ours. */
async function isOwnerGone(
  { db }: StepDeps,
  run: ModelRun,
  record: LoadRecord | undefined,
): Promise<boolean> {
  if (record === undefined || record.owner === ownerOf(run)) return false;
  const [environmentText, destinationId = ''] = record.owner.split('/');
  const environment = environments.find((known) => known === environmentText);
  return environment !== undefined && isDestinationGone(db, { environment, destinationId });
}
