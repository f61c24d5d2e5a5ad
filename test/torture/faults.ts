import { setTimeout as sleep } from 'node:timers/promises';
import { applicationNames } from '../../connectors/postgres/connect.ts';
import { urlOf, type Installation } from './installation.ts';
import type { KeptPostgres } from './kept-server.ts';
import { tenants, type FaultKind, type PlannedFault } from './plan.ts';
import { runStatements } from './run-statements.ts';
import type { Writer } from './writer.ts';

export interface FaultContext {
  readonly installation: Installation;
  readonly writer: Writer;
}

/** Strikes. Resolves when what was stopped goes on, or what was killed is being started again. */
export type Strike = (context: FaultContext, fault: PlannedFault) => Promise<void>;

const strikes: Readonly<Record<FaultKind, Strike>> = {
  kill_worker: ({ installation }, fault) => chosenWorker(installation, fault).kill(),
  freeze_worker: ({ installation }, fault) =>
    chosenWorker(installation, fault).freeze(fault.holdMs),
  // Over at least one transfer: its steps are taken over by the other worker before it wakes.
  freeze_worker_long: ({ installation }, fault) =>
    chosenWorker(installation, fault).freeze(fault.holdMs),
  kill_api: ({ installation }) => installation.api.kill(),
  freeze_api: ({ installation }, { holdMs }) => installation.api.freeze(holdMs),
  kill_temporal: ({ installation }) => installation.temporal.killAndStart(),
  freeze_temporal: ({ installation }, { holdMs }) => installation.temporal.freeze(holdMs),
  kill_vendor_database: ({ installation }) => installation.vendor.killAndStart(),
  kill_customer_database: ({ installation }) => installation.customers.killAndStart(),
  kill_own_database: ({ installation }) => installation.own.killAndStart(),
  cut_source: async ({ installation }, fault) => installation.toVendor.cutAfter(bytesOf(fault)),
  cut_destination: async ({ installation }, fault) =>
    installation.toCustomers.cutAfter(bytesOf(fault)),
  stall_source: ({ installation }, { holdMs }) => installation.toVendor.stall(holdMs),
  stall_destination: ({ installation }, { holdMs }) => installation.toCustomers.stall(holdMs),
  end_source_session: ({ installation }, fault) =>
    endSessions(installation.vendor, applicationNames.source, fault),
  end_destination_session: ({ installation }, fault) =>
    endSessions(installation.customers, applicationNames.destination, fault),
  time_out_source: ({ installation }, fault) =>
    timeOut(installation.vendor, ['vendor_reader'], fault),
  time_out_destination: ({ installation }, fault) =>
    timeOut(installation.customers, tenants, fault),
  lose_commit_answer: async ({ installation }) => installation.toCustomers.loseCommitAnswer(),
  skew_clock: async ({ writer }, { choice }) => {
    // Within the lookback of 30 s, before the server's clock and behind it.
    for (const tenant of tenants) await writer.skew(tenant, Math.round(choice * 40 - 20));
  },
};

/** What one fault hits takes it alone: a server that is being started is killed when it is up. */
export function createInjector(context: FaultContext) {
  const busy = new Map<string, Promise<void>>();
  const running = new Set<Promise<void>>();
  return {
    strike(fault: PlannedFault): Promise<void> {
      const target = targetOf(fault);
      const before = busy.get(target) ?? Promise.resolve();
      const after = before.then(() => strikes[fault.kind](context, fault));
      const settled = after.catch(() => undefined);
      busy.set(target, settled);
      running.add(settled);
      void settled.then(() => running.delete(settled));
      return after;
    },
    /** All are over, and none is left to strike. */
    async calm(): Promise<void> {
      await Promise.all(running);
      context.installation.toVendor.disarm();
      context.installation.toCustomers.disarm();
    },
  };
}

function targetOf({ kind, choice }: PlannedFault): string {
  if (kind.endsWith('_worker') || kind === 'freeze_worker_long')
    return `worker ${workerOf(choice)}`;
  const server = /^(kill|freeze)_(\w+)$/.exec(kind)?.[2];
  return server ?? `${kind} ${choice}`;
}

function workerOf(choice: number): number {
  return choice < 0.5 ? 0 : 1;
}

function chosenWorker({ workers }: Installation, { choice }: PlannedFault) {
  const worker = workers[workerOf(choice)];
  if (worker === undefined) throw new Error('The installation has two workers.');
  return worker;
}

/** From the login itself to the middle of a load. */
function bytesOf({ choice }: PlannedFault): number {
  return Math.round(10 ** (1 + choice * 5));
}

async function endSessions(
  server: KeptPostgres,
  application: string,
  { choice }: PlannedFault,
): Promise<void> {
  const count = choice < 0.5 ? 1 : 100;
  await untilDone(server, [
    /*sql*/ `select pg_terminate_backend(pid) from (select pid from pg_stat_activity
      where application_name = '${application}' order by random() limit ${count}) chosen`,
  ]);
}

/** Every statement of the logins that takes longer than a moment is ended by the server, for a while. */
async function timeOut(
  server: KeptPostgres,
  logins: readonly string[],
  { holdMs }: PlannedFault,
): Promise<void> {
  const names = logins.map((login) => `'${login}'`).join(', ');
  await untilDone(server, [
    ...logins.map((login) => `alter role ${login} set statement_timeout = '15ms'`),
    /*sql*/ `select pg_cancel_backend(pid) from pg_stat_activity where usename in (${names})`,
  ]);
  await sleep(holdMs);
  await untilDone(
    server,
    logins.map((login) => `alter role ${login} reset statement_timeout`),
  );
}

/** The server itself may be down at the moment: another fault's doing. */
async function untilDone(server: KeptPostgres, statements: readonly string[]): Promise<void> {
  const triesMax = 240;
  for (let tries = 1; ; tries += 1) {
    try {
      await runStatements(urlOf(server, 'postgres'), statements);
      return;
    } catch (error) {
      if (tries === triesMax) throw error;
      await sleep(250);
    }
  }
}
