import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../../domain/failure.ts';
import { workflowIds } from '../../domain/temporal-names.ts';
import { mapLimit } from '../../lib/map-limit.ts';
import { machineSetting } from '../report.ts';
import type { Run } from '../simulate.ts';
import { createCrew } from './crew.ts';
import { writeSections } from './report.ts';
import { startStand, type Stand } from './stand.ts';

const atOnce = 8;
/** Nothing comes due while it is changed to this, except about midnight and noon. */
const rareMinutes = 720;
/** All come due within 90 s, the spread of this interval, and have the rest of it to be through. */
const dueMinutes = 30;
const pollMs = 1000;
const uuidLength = 36;

/**
 * A schedule for each of many destinations on the development server: made with their destinations, changed
 * by the default of the environment, and fired once each. The destinations have no models: a firing costs
 * what the clock costs and nothing else.
 */
export async function runSchedules({ options, file, signal, say, stack }: Run): Promise<void> {
  const stand = await startStand({ folder: file('.'), say, signal }, stack);
  const program = new URL('worker.ts', import.meta.url);
  const env = { ...stand.workerEnv, WAYBILL_LOG_LEVEL: 'error' };
  const crew = createCrew({ program, env }, stack);
  await crew.add();
  const count = options.destinations;
  say(`Making ${count} destinations, each with its schedule …`);
  const madeMs = await timed(() => makeDestinations(stand, count, say));
  say('Changing the default of all of them …');
  const changedMs = await timed(() => changeDefault({ stand, minutes: rareMinutes, say, signal }));
  say(`Making all of them due every ${dueMinutes} minutes …`);
  const dueMs = await timed(() => changeDefault({ stand, minutes: dueMinutes, say, signal }));
  const fired = await watchFiring({ stand, count, say, signal });
  const row = (what: string, ms: number) => [
    what,
    `${seconds(ms)} s`,
    `${(count / (ms / 1000)).toFixed(0)} a second`,
  ];
  const { text, file: written } = await writeSections({
    name: 'schedules',
    setting: {
      ...machineSetting(),
      schedules: String(count),
      workers: '1',
      server: 'development server of Temporal on SQLite',
    },
    sections: [
      {
        title: 'Schedules',
        table: [
          ['what', 'took', 'rate'],
          row('made with their destinations, by the API', madeMs),
          row(`changed to ${rareMinutes} minutes by the default, by reconcile`, changedMs),
          row(`changed to ${dueMinutes} minutes`, dueMs),
          row(`half of all due within ${fired.spreadSeconds} s had fired`, fired.halfMs),
          row('all had fired, once each', fired.allMs),
        ],
      },
    ],
    figures: { count, madeMs, changedMs, dueMs, ...fired },
  });
  say(`\n${text}\nWritten to ${written}`);
}

async function makeDestinations(stand: Stand, count: number, say: Run['say']): Promise<void> {
  const { id } = await stand.api.call<{ id: string }>({
    method: 'POST',
    path: '/recipients',
    body: { recipient: { name: 'all', id_in_provider_system: 'all' } },
    part: 'recipient',
  });
  await mapLimit(Array.from({ length: count }), atOnce, async (_, n) => {
    const memory = { port: 1, store: `store-${n}` };
    const destination = { name: `d${n}`, vendor: 'memory', recipient_id: id, memory };
    await stand.api.call({
      method: 'POST',
      path: '/destinations',
      body: { destination },
      part: 'destination',
    });
    if (n > 0 && n % 1000 === 0) say(`  ${n} made`);
  });
}

interface Watch {
  readonly stand: Stand;
  readonly say: Run['say'];
  readonly signal: AbortSignal;
}

/** Returns when Temporal has been told every schedule. */
async function changeDefault(change: Watch & { readonly minutes: number }): Promise<void> {
  const { stand, minutes, say, signal } = change;
  const settings = { default_frequency_minutes: minutes };
  await stand.api.call({
    method: 'PATCH',
    path: '/settings',
    body: { settings },
    part: 'settings',
  });
  for (let polls = 1; ; polls += 1) {
    const { rows } = await stand.sql.query<{ count: number }>(/*sql*/ `
      select count(*)::int from destinations where schedule_version <> scheduled_version`);
    const left = rows[0]?.count ?? 0;
    if (left === 0) return;
    if (polls % 60 === 0) say(`  ${left} left`);
    await sleep(pollMs, undefined, { signal });
  }
}

/** Waits for the next time at which all are due, and for what they start. */
async function watchFiring(watch: Watch & { readonly count: number }) {
  const { stand, count, say, signal } = watch;
  const intervalMs = dueMinutes * 60_000;
  const dueAtMs = (Math.floor(Date.now() / intervalMs) + 1) * intervalMs;
  say(`Waiting for ${new Date(dueAtMs).toISOString()} …`);
  await sleep(dueAtMs - Date.now(), undefined, { signal });
  const query = `WorkflowType = 'scheduledTransfer' and StartTime >= '${new Date(dueAtMs).toISOString()}'`;
  let halfMs: number | undefined;
  for (let polls = 1; ; polls += 1) {
    const fired = await countNow(stand, query);
    const sinceMs = Date.now() - dueAtMs;
    if (fired >= count / 2) halfMs ??= sinceMs;
    if (polls % 60 === 0) say(`  ${fired} fired`);
    if (fired >= count) {
      await checkOnceEach(stand, query, count);
      return {
        halfMs: halfMs ?? sinceMs,
        allMs: sinceMs,
        spreadSeconds: (intervalMs * 0.05) / 1000,
      };
    }
    if (sinceMs > intervalMs) {
      const text = `Only ${fired} of ${count} had fired when they were due again.`;
      throw new Failure('limit_reached', text);
    }
    await sleep(pollMs, undefined, { signal });
  }
}

/** Under ten thousand firings the development server fails a call now and then: zero, until it answers. */
async function countNow(stand: Stand, query: string): Promise<number> {
  const counted = await stand.client.workflow.count(query).catch(() => undefined);
  return counted?.count ?? 0;
}

async function checkOnceEach(stand: Stand, query: string, count: number): Promise<void> {
  const fired = new Map<string, number>();
  for await (const { workflowId } of stand.client.workflow.list({ query })) {
    // The server adds the time to the id that we gave.
    const ours = workflowId.slice(0, workflowIds.scheduled('').length + uuidLength);
    fired.set(ours, (fired.get(ours) ?? 0) + 1);
  }
  const twice = [...fired.values()].filter((times) => times > 1).length;
  if (fired.size === count && twice === 0) return;
  throw new Failure('bug', `${fired.size} of ${count} fired, ${twice} of them more than once.`);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(0);
}
