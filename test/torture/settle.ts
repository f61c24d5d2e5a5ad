import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, Client } from '@temporalio/client';
import type { Installation } from './installation.ts';
import { runStatements } from './run-statements.ts';
import { urlOf } from './installation.ts';

/** A transfer as our own database has it. */
export interface TransferEnd {
  readonly id: string;
  readonly destination_id: string;
  readonly status: string;
  readonly submitted: number;
  /** 0 while it has not ended. */
  readonly ended: number;
  readonly said: string;
}

const pollMs = 500;

/** Waits, and helps with nothing. @returns all transfers, among them those still open after so long */
export async function settle(installation: Installation, limitMs: number): Promise<TransferEnd[]> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const transfers = await listTransfers(installation);
    if (transfers.every(({ ended }) => ended > 0) || Date.now() > deadline) return transfers;
    await sleep(pollMs);
  }
}

async function listTransfers({ ownUrl }: Installation): Promise<TransferEnd[]> {
  const rows = await runStatements<{ [name: string]: string }>(ownUrl, [
    /*sql*/ `select id, destination_id, status, extract(epoch from submitted_at) * 1000 as submitted,
        coalesce(extract(epoch from ended_at) * 1000, 0) as ended,
        concat(error::text, (select string_agg(concat(model_name, ' ', m.status, ' ', m.error::text), '; ')
          from transfer_models m where m.transfer_id = t.id), E'\\n',
          (select string_agg(line, E'\\n' order by l.id) from transfer_log l
            where l.transfer_id = t.id)) as said
      from transfers t order by submitted_at`,
  ]);
  return rows.map((row) => ({
    ...(row as unknown as TransferEnd),
    submitted: Number(row['submitted']),
    ended: Number(row['ended']),
  }));
}

/** What still counts as running although nothing is: empty once all is quiet, at the latest after so long. */
export async function findRunning(installation: Installation, limitMs: number): Promise<string[]> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const found = await runningNow(installation);
    if (found.length === 0 || Date.now() > deadline) return found;
    await sleep(pollMs);
  }
}

async function runningNow(installation: Installation): Promise<string[]> {
  const { ownUrl, temporal, vendor, customers } = installation;
  const models = await runStatements<{ says: string }>(ownUrl, [
    /*sql*/ `select format('model %s of transfer %s is %s', model_name, transfer_id, status) as says
      from transfer_models where status in ('PENDING', 'RUNNING')`,
  ]);
  const sessions = await Promise.all(
    [vendor, customers].map((server) =>
      runStatements<{ says: string }>(urlOf(server, 'postgres'), [
        /*sql*/ `select format('session %s of %s in %s is %s', pid, application_name, datname, state) as says
          from pg_stat_activity where application_name like 'waybill-%'`,
      ]),
    ),
  );
  const rows = [...models, ...sessions.flat()].map(({ says }) => says);
  return [...rows, ...(await openWorkflows(temporal.address))];
}

async function openWorkflows(address: string): Promise<string[]> {
  const connection = await Connection.connect({ address });
  try {
    const open: string[] = [];
    const query = `ExecutionStatus = 'Running'`;
    for await (const { workflowId, type } of new Client({ connection }).workflow.list({ query })) {
      if (type !== 'reconcile') open.push(`workflow ${workflowId} is open at Temporal`);
    }
    // The scheduler is a workflow of Temporal's own.
    return open.filter((each) => !each.includes('temporal-sys-scheduler'));
  } finally {
    await connection.close();
  }
}
