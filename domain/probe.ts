import type { ErrorCode, ErrorObject, Violation } from './failure.ts';
import type { DescribedColumn } from './source-rules.ts';
import type { Environment } from './statuses.ts';

/** A stored probe: the row holds what to look at, sealed where it must be. */
export interface ProbeRef {
  readonly probeId: string;
  readonly environment: Environment;
  readonly kind: 'source' | 'destination' | 'model';
}

/** One check of a connection, and what would mend it. */
export interface Finding {
  /** What was tried: `resolve`, `connect`, `authenticate`, `create schema`, `write`, … */
  readonly name: string;
  readonly status: 'ok' | 'warning' | 'error';
  readonly message: string;
  /** The statement or setting that is missing. */
  readonly fix: string | undefined;
  /** Of an error: the public code, where it is clear. */
  readonly code?: ErrorCode | undefined;
}

/** What a connection test found; it becomes `probes.result`. */
export interface ConnectionReport {
  readonly kind: 'connection';
  readonly findings: readonly Finding[];
  /** Set where a finding is an error. */
  readonly error: ErrorObject | null;
}

/** What a model's check against its source found; `probes.input` is `{ model, with_plan }`. */
export interface ModelReport {
  readonly kind: 'model';
  readonly errors: readonly Violation[];
  readonly warnings: readonly Violation[];
  readonly sampledRows?: number;
  /** The reading statement without its values, where there are no errors. */
  readonly sql?: string;
  readonly plan?: string;
}

/** A table for a model to be; `probes.input` is `{ table }`. */
export interface TableReport {
  readonly kind: 'table';
  readonly columns: readonly DescribedColumn[];
  readonly errors: readonly Violation[];
}

export type ProbeReport = ConnectionReport | ModelReport | TableReport;
