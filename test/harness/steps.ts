import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { silentMetrics } from '../../domain/metrics.ts';
import { closeTransfer } from '../../activities/close-transfer.ts';
import { copySlice } from '../../activities/copy-slice.ts';
import type { StepDeps, WorkLimits } from '../../activities/deps.ts';
import { evolveSchema } from '../../activities/evolve-schema.ts';
import { finishModel } from '../../activities/finish-model.ts';
import { openTransfer } from '../../activities/open-transfer.ts';
import { planModel } from '../../activities/plan-model.ts';
import type { ConnectorRegistry } from '../../connectors/connector.ts';
import { submitTransfer } from '../../db/submit-transfer.ts';
import type { TransferRecord } from '../../db/transfers.ts';
import { getTransfer } from '../../db/transfers.ts';
import type { WorkflowPort } from '../../domain/ports.ts';
import type { ModelRef } from '../../domain/steps.ts';
import { must } from '../../lib/must.ts';
import { tester, testSealer } from './metadata.ts';
import type { Shipment } from './shipment.ts';

// The steps of a transfer as the workflows order them, with no Temporal: what fails is tried again under the
// next attempt, as Temporal would.

const attemptsMax = 4;

const usualLimits: WorkLimits = {
  sliceMs: 60_000,
  batchBytesMax: 1_000_000,
  batchRowsMax: 2,
  progressMs: 60_000,
  queueHoursMax: 24,
  transferDaysKept: 90,
  auditDaysKept: 400,
};

export interface StepOptions {
  readonly connectors: ConnectorRegistry;
  readonly limits?: Partial<WorkLimits>;
  readonly attempt?: number;
  readonly signal?: AbortSignal;
}

/** What one attempt of a step of this shipment is given. */
export function stepDeps({ metadata }: Shipment, options: StepOptions): StepDeps {
  return {
    db: metadata.db,
    sealer: testSealer,
    connectors: options.connectors,
    reach: { socket: () => Promise.reject(new Error('no sockets here')) },
    workflows: silentPort,
    limits: { ...usualLimits, ...options.limits },
    publicUrl: 'http://waybill.test',
    metrics: silentMetrics,
    isDraining: () => false,
    log: pino({ level: 'silent' }),
    signal: options.signal ?? new AbortController().signal,
    attempt: options.attempt ?? 1,
    workflowRunId: 'run',
    beat: () => undefined,
  };
}

const silentPort = { ring: async () => undefined } as Partial<WorkflowPort> as WorkflowPort;

/** Stores a transfer and opens it. */
export async function openOne(
  shipment: Shipment,
  options: StepOptions & { isFullRefresh?: boolean },
): Promise<ModelRef> {
  const { destinationId, modelId, metadata } = shipment;
  const { transferId } = await submitTransfer(metadata.db, {
    environment: 'prod',
    destinationId,
    trigger: 'manual',
    isFullRefresh: options.isFullRefresh,
    tags: { once: randomUUID() },
    actor: tester,
  });
  must(await openTransfer(stepDeps(shipment, options), { transferId }), 'a transfer to open');
  return { transferId, modelId };
}

/** Runs all steps of a transfer of the one model, and gives its row as it stands then. */
export async function runSteps(
  shipment: Shipment,
  options: StepOptions & { isFullRefresh?: boolean },
): Promise<TransferRecord> {
  return runOpened(shipment, await openOne(shipment, options), options);
}

/** The same for a transfer that is open. */
export async function runOpened(
  shipment: Shipment,
  ref: ModelRef,
  options: StepOptions,
): Promise<TransferRecord> {
  const retried = <O>(run: (deps: StepDeps) => Promise<O>) => tryAgain(shipment, options, run);
  const plan = await retried((deps) => planModel(deps, { ...ref, mayMove: true }));
  if (plan.mustEvolve) await retried((deps) => evolveSchema(deps, ref));
  for (let step = 1; plan.isDone !== true; step += 1) {
    const result = await retried((deps) => copySlice(deps, { ...ref, step }));
    const { next, fence } = result;
    if (next === 'publish') {
      await retried((deps) => finishModel(deps, { ...ref, step: step + 1, fence }));
    }
    if (next !== 'slice') break;
  }
  const outcomes = { [ref.modelId]: { status: 'SUCCESS' } } as const;
  await retried((deps) => closeTransfer(deps, { transferId: ref.transferId, outcomes }));
  return getTransfer(shipment.metadata.db, { environment: 'prod', id: ref.transferId });
}

async function tryAgain<O>(
  shipment: Shipment,
  options: StepOptions,
  run: (deps: StepDeps) => Promise<O>,
): Promise<O> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run(stepDeps(shipment, { ...options, attempt }));
    } catch (error) {
      if (attempt >= attemptsMax) throw error;
    }
  }
}
