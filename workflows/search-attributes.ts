import {
  defineSearchAttributeKey,
  type SearchAttributePair,
  type SearchAttributeUpdatePair,
} from '@temporalio/common';
import { upsertSearchAttributes } from '@temporalio/workflow';

const keys = {
  recipient: defineSearchAttributeKey('RecipientId', 'KEYWORD'),
  destination: defineSearchAttributeKey('DestinationId', 'KEYWORD'),
  model: defineSearchAttributeKey('ModelId', 'KEYWORD'),
  transfer: defineSearchAttributeKey('TransferId', 'KEYWORD'),
  trigger: defineSearchAttributeKey('TransferTrigger', 'KEYWORD'),
  phase: defineSearchAttributeKey('TransferPhase', 'KEYWORD'),
  windowEnd: defineSearchAttributeKey('WindowEnd', 'DATETIME'),
  rows: defineSearchAttributeKey('RowsWritten', 'INT'),
};

export type Phase = 'open' | 'plan' | 'evolve' | 'copy' | 'publish' | 'paused' | 'done' | 'failed';

export interface TransferLabels {
  readonly transferId: string;
  readonly destinationId: string;
  readonly recipientId: string;
  readonly trigger: string;
  readonly phase: Phase;
}

/** Children do not inherit search attributes, so each start names them. */
export function transferAttributes(labels: TransferLabels): SearchAttributePair[] {
  return [
    { key: keys.transfer, value: labels.transferId },
    { key: keys.destination, value: labels.destinationId },
    { key: keys.recipient, value: labels.recipientId },
    { key: keys.trigger, value: labels.trigger },
    { key: keys.phase, value: labels.phase },
  ];
}

export function modelAttributes(labels: TransferLabels, modelId: string): SearchAttributePair[] {
  return [...transferAttributes(labels), { key: keys.model, value: modelId }];
}

/** Each call is an event in the history: only at changes of phase. */
export function showPhase(phase: Phase, facts: { rows?: number; windowEnd?: Date } = {}): void {
  const pairs: SearchAttributeUpdatePair[] = [{ key: keys.phase, value: phase }];
  if (facts.rows !== undefined) pairs.push({ key: keys.rows, value: facts.rows });
  if (facts.windowEnd !== undefined) pairs.push({ key: keys.windowEnd, value: facts.windowEnd });
  upsertSearchAttributes(pairs);
}
