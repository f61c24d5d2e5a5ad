import { asyncLocalStorage, type Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { silentMetrics } from '../domain/metrics.ts';
import type { Database } from '../db/database.ts';
import type { WorkflowPort } from '../domain/ports.ts';
import { createSealer } from '../lib/seal.ts';
import { createActivities } from './activities.ts';
import type { ActivityDeps } from './deps.ts';

/** Activities whose every look at our database does what the test says. */
function createWith(select: () => unknown) {
  const lines: string[] = [];
  const deps: ActivityDeps = {
    db: { select } as unknown as Database,
    connectors: new Map(),
    sealer: createSealer([{ id: 'test', key: Buffer.alloc(32) }]),
    reach: { socket: () => Promise.reject(new Error('no sockets here')) },
    workflows: {} as WorkflowPort,
    publicUrl: 'http://waybill.test',
    metrics: silentMetrics,
    limits: {
      sliceMs: 1000,
      batchBytesMax: 1000,
      batchRowsMax: 10,
      progressMs: 1000,
      queueHoursMax: 1,
      transferDaysKept: 1,
      auditDaysKept: 1,
    },
    isDraining: () => false,
    log: pino({}, { write: (line) => void lines.push(line) }),
  };
  return { activities: createActivities(deps), lines };
}

/** Runs one attempt as the worker does, as far as our code sees it. */
async function runIn(
  activities: ReturnType<typeof createWith>['activities'],
  cancellation = new AbortController(),
): Promise<unknown> {
  const context = {
    info: { activityType: 'chooseTransfers', attempt: 1 },
    cancellationSignal: cancellation.signal,
    heartbeat: () => undefined,
  };
  return asyncLocalStorage.run(context as unknown as Context, () =>
    activities.chooseTransfers({ destinationId: 'd' }),
  );
}

test('what an activity throws reaches Temporal as a failure of ours', async () => {
  const { activities } = createWith(() => {
    throw new Error('select from secret_table');
  });
  const run = runIn(activities);
  await expect(run).rejects.toMatchObject({ name: 'ApplicationFailure', type: 'bug' });
  await expect(run).rejects.not.toThrow('secret_table');
});

test('a step that is cut off ends as cancelled, whatever its connections say meanwhile', async () => {
  const cancellation = new AbortController();
  const { activities, lines } = createWith(() => {
    cancellation.abort(new CancelledFailure('WORKER_SHUTDOWN'));
    throw new Error('terminating connection due to administrator command');
  });
  await expect(runIn(activities, cancellation)).rejects.toBeInstanceOf(CancelledFailure);
  expect(lines.join('')).toContain('step stopped');
  expect(lines.join('')).not.toContain('terminating');
});
