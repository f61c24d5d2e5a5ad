import type { Logger } from 'pino';
import type { ConnectorRegistry, Reach } from '../connectors/connector.ts';
import type { Database } from '../db/database.ts';
import type { Metrics } from '../domain/metrics.ts';
import type { WorkflowPort } from '../domain/ports.ts';
import type { Sealer } from '../lib/seal.ts';

/** Limits that an operator can set. */
export interface WorkLimits {
  /** How long a slice goes on committing batches, from its first one. */
  readonly sliceMs: number;
  readonly batchBytesMax: number;
  readonly batchRowsMax: number;
  /** Nothing committed for so long is `no_progress`. */
  readonly progressMs: number;
  /** A transfer that waits longer, and not merely behind a running one, expires. */
  readonly queueHoursMax: number;
  readonly transferDaysKept: number;
  readonly auditDaysKept: number;
}

/** What every activity may use. */
export interface ActivityDeps {
  readonly db: Database;
  readonly connectors: ConnectorRegistry;
  readonly sealer: Sealer;
  readonly reach: Reach;
  readonly workflows: WorkflowPort;
  readonly limits: WorkLimits;
  /** Where clients reach the API; links in notices begin with it. */
  readonly publicUrl: string;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Whether this worker takes no more work: what runs hands back at its next batch. */
  readonly isDraining: () => boolean;
}

/** The same for one attempt of one activity. */
export interface StepDeps extends ActivityDeps {
  /** Aborted when the workflow cancels, the worker stops, or the attempt has timed out. */
  readonly signal: AbortSignal;
  /** Temporal's attempt, from 1; part of the epoch. */
  readonly attempt: number;
  readonly workflowRunId: string;
  /** Shows counts to people. No decision reads them. */
  readonly beat: (counts: Readonly<Record<string, number>>) => void;
}
