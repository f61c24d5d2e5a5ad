import type { ProbeRef } from './probe.ts';
import type { ScheduleSpec } from './schedule.ts';

/** What the API and the activities ask of the workflow engine. Its one implementation is in `bin/`. */
export interface WorkflowPort {
  /**
   * Starts the destination's queue if it is not open, and tells it that a transfer waits. May be
   * repeated.
   */
  ring(destinationId: string, transferId: string): Promise<void>;
  /** Asks a running transfer to stop; returns at once. */
  cancelTransfer(transferId: string): Promise<void>;
  pauseTransfer(transferId: string): Promise<void>;
  resumeTransfer(transferId: string): Promise<void>;
  /**
   * Runs a stored probe in a worker and waits for its end. @throws Failure `unavailable` without a
   * worker.
   */
  runProbe(probe: ProbeRef): Promise<void>;
  /** Starts the workflow of a stored data integrity job. May be repeated. */
  startIntegrity(jobId: string): Promise<void>;
  /** Asks a running job to stop; returns at once. */
  cancelIntegrity(jobId: string): Promise<void>;
  describeIntegrity(jobId: string): Promise<WorkflowState>;
  /** Whether the transfer's workflow is open, has closed, or was never there. */
  describeTransfer(transferId: string): Promise<WorkflowState>;
  describeQueue(destinationId: string): Promise<WorkflowState>;
  /** Starts the delivery of an object's notices to a webhook if it is not under way. May be repeated. */
  ringNotices(lane: { webhookId: string; resourceId: string }): Promise<void>;
  /** Puts the schedule of a destination as it is told, or takes it away. May be repeated. */
  putSchedule(destinationId: string, spec: ScheduleSpec | undefined): Promise<void>;
  hasSchedule(destinationId: string): Promise<boolean>;
  /** @throws Failure `unavailable` when the engine does not answer. */
  ping(): Promise<void>;
}

export type WorkflowState = 'open' | 'closed' | 'not_found';
