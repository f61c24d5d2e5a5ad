import { instantMicros, type InstantText } from '../domain/instant.ts';
import type { Fence } from '../domain/load.ts';
import type { LoadDecision, StoredPlan } from '../domain/plan.ts';

/** An instant for people and clients; an infinite or far one is left out. */
export function rfc3339(instant: InstantText | undefined): string | undefined {
  if (instant === undefined) return undefined;
  const date = new Date(Number(instantMicros(instant) / 1000n));
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

/**
 * One line for the Temporal UI. Without the watermark, which may be the last-modified value of a row: no row
 * value enters Temporal.
 */
export function summarisePlan({ decision }: StoredPlan): string {
  const { watermark, isExplicit } = decision;
  return summarise(decision, watermark === undefined || isExplicit ? undefined : 'the watermark');
}

function summarise({ mode, window, continues }: LoadDecision, start?: string): string {
  const from = start ?? rfc3339(window.after) ?? 'the beginning';
  const to = window.upTo === undefined ? '' : ` to ${rfc3339(window.upTo) ?? 'the end'}`;
  return `${continues ? 'continued ' : ''}${mode} from ${from}${to}`;
}

/** Lines for the transfer's log: what is read, how sure that is, and who holds it back. */
export function describePlan(modelName: string, plan: StoredPlan): string[] {
  const { fence, lookbackSeconds, decision } = plan;
  const lookback =
    decision.watermark === undefined || decision.isExplicit
      ? ''
      : ` (the watermark less ${lookbackSeconds} s)`;
  const parts =
    plan.windowSeconds === undefined ? '' : `, in windows of ${plan.windowSeconds} s at most`;
  return [
    `${modelName}: ${summarise(decision)}${lookback}${parts}, as ${plan.encoding}.`,
    ...describeFence(modelName, fence),
  ];
}

function describeFence(modelName: string, fence: Fence): string[] {
  const lines: string[] = [];
  if (fence.guarantee === 'lookback') {
    const grant = fence.grant === undefined ? '' : ` To change that: ${fence.grant}`;
    lines.push(
      `${modelName}: late commits are found within the lookback only: ${fence.reason ?? ''}${grant}`,
    );
  }
  if (fence.holder !== undefined) {
    const { pid, state, ageSeconds } = fence.holder;
    lines.push(
      `${modelName}: session ${pid} at the source (${state}) has been in a transaction for ` +
        `${Math.round(ageSeconds)} s; rows since then are read again until it ends.`,
    );
  }
  return lines;
}
