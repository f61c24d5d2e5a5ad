import type { Client as TemporalClient } from '@temporalio/client';
import type pg from 'pg';
import type { ApiClient } from '../bin/demo-api.ts';
import type { Login } from '../bin/demo-vendor.ts';
import type { NativePipe } from './native-copy.ts';
import type { Outcome } from './report.ts';

/** What every row of the table is measured on: a whole Waybill and two database servers beside it. */
export interface Workbench {
  readonly api: ApiClient;
  readonly temporal: TemporalClient;
  readonly temporalAddress: string;
  readonly source: Login;
  readonly destination: Login;
  readonly sourceClient: pg.Client;
  readonly destinationClient: pg.Client;
  readonly rows: number;
  readonly rounds: number;
  /** Of a row of the main table, as text. */
  readonly rowBytes: number;
  readonly pipe: NativePipe;
  /** Gives the source's tables a new, empty home. @returns the id of a destination that points there */
  readonly addDestination: (schema: string) => Promise<string>;
  readonly workerPid: () => number;
  /** Of all Waybill's servers, the worker among them. */
  readonly waybillPids: () => readonly number[];
  /** Both database servers, where the system tells. */
  readonly databasePids: readonly number[];
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** One row of the table: what is measured, against what, and what we hold ourselves to. */
export interface BenchRow {
  readonly name: string;
  readonly work: string;
  /** Undefined where the bound is a number by itself. */
  readonly against?: string;
  readonly bound: Bound;
  /** What the worker of this row is started with beside the usual; undefined: it cannot run, and why. */
  readonly worker?: Readonly<Record<string, string>> | { readonly notBuilt: string };
  readonly run: (bench: Workbench) => Promise<Outcome>;
}

export interface Bound {
  readonly max: number;
  readonly unit: '×' | 'MB' | 'batches';
}

/** An empty table at the destination with the column types that Waybill gives the main table. */
export const typesTable = 'public.landed_types';
